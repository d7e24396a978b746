#!/usr/bin/env python3
"""Publishes stored acts for scripts: publish.py FILE...

Each file holds the exact body of one message. AMQP_URL says where and as whom. Exit 0: the broker has all of them, in the order
given, and confirmed each. amqp-publish cannot stand in for it: it sets neither user-id nor type, and asks for no confirm.
"""
import os
import sys

import contract


def main():
    if len(sys.argv) < 2 or "AMQP_URL" not in os.environ:
        raise SystemExit(__doc__)
    url = os.environ["AMQP_URL"]
    connection = contract.connect(url)
    channel = contract.publishing_channel(connection)
    for name in sys.argv[1:]:
        with open(name, "rb") as file:
            contract.publish(channel, contract.user_of(url), file.read())
    connection.close()


if __name__ == "__main__":
    main()
