#!/usr/bin/env python3
"""Checks the result of `bihuan-lab demo --json` for the real petitions: all registered, most referred to a competent body."""
import json
import sys

result = json.load(open(sys.argv[1], encoding="utf-8"))
checks = {
    "all 2,816 are submitted and registered": result["submitted"] == result["registered"] == 2816,
    "at least 2,000 are not accepted": result["not_accepted"] >= 2000,
    "at least 10 authorities are named": len(result["authorities"]) >= 10,
    "nothing is lost or doubled": result["lost"] == result["doubled"] == 0,
}
for text, holds in checks.items():
    print("true " if holds else "FALSE", text)
sys.exit(0 if all(checks.values()) else 1)
