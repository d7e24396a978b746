#!/usr/bin/env bash
# A source in shell: submits one report and says what became of it. publish.py sends, amqp-consume reads.
#     AMQP_URL=amqp://source.web:PASSWORD@HOST/VHOST ./source.sh STATE REPORT.json
# REPORT.json holds the data of report.submitted. Run it again with the same report and STATE after any failure: the act is kept
# there, and counts once. WAIT: seconds to wait for the verdict (30). Exit 0: accepted or received, 1: rejected, 3: no answer yet.
# Needs amqp-tools, jq, python3-pika, coreutils.
set -euo pipefail

state=${1:?usage: AMQP_URL=… source.sh STATE REPORT.json}
what=${2:?usage: AMQP_URL=… source.sh STATE REPORT.json}
url=${AMQP_URL:?AMQP_URL is not set}
here=$(cd "$(dirname "$0")" && pwd)
source=${url#*://}
source=${source%%:*}
umask 077
mkdir -p "$state"/{act,answer}

# There whole or not at all, and on disk before anything is sent or acknowledged.
keep() {
    local new
    new=$(mktemp "$1.XXXXXX")
    cat > "$new"
    sync "$new"
    mv "$new" "$1"
    sync "$(dirname "$1")"
}

answer_to() { printf '%s/answer/%s' "$state" "$(printf %s "$1" | sha256sum | cut -d' ' -f1)"; }

# One answer on standard input, kept under the act it answers: it may be that of another run. amqp-consume acknowledges it when
# this ends well; what this fails with it neither acknowledges nor gives back, so it is ended, and the answer comes again.
if [ "$what" = take ]; then
    trap 'kill "$PPID"' EXIT
    body=$(mktemp "$state/arriving.XXXXXX")
    cat > "$body"
    about=$(jq -r '.inreplyto // .id // ""' "$body" 2> /dev/null) || about=
    keep "$(answer_to "${about:-$(cat "$body")}")" < "$body"
    rm "$body"
    trap - EXIT
    exit
fi

# The act of this report: the kept one, or a new one that is kept before anything is sent. Of a report the subject is its own id.
act=$state/act/$(jq -cS . "$what" | sha256sum | cut -d' ' -f1)
if [ ! -e "$act" ]; then
    jq -cj --arg id "$(cat /proc/sys/kernel/random/uuid)" --arg source "$source" --arg time "$(date -u +%Y-%m-%dT%H:%M:%SZ)" \
        '{specversion: "1.0", $id, $source, type: "bihuan.report.submitted.v1", subject: $id, $time,
          datacontenttype: "application/json", data: .}' "$what" | keep "$act"
fi
answer=$(answer_to "$(jq -r .id "$act")")

no_answer() {
    echo "no answer yet; run this again, it is the same act" >&2
    exit 3
}

end=$((SECONDS + ${WAIT:-30}))
[ -e "$answer" ] || "$here/publish.py" "$act" || no_answer
until [ -e "$answer" ]; do
    left=$((end - SECONDS))
    [ "$left" -gt 0 ] || no_answer
    # Another run may be the one that hears the answer, so the folder is looked at again and again.
    timeout --foreground "$((left < 2 ? left : 2))" \
        amqp-consume --url="$url" --queue="$source.notice" --prefetch-count=1 --count=1 "$here/$(basename "$0")" "$state" take \
        || sleep 0.2
done

case $(jq -r .type "$answer") in
bihuan.report.accepted.v1) jq -r '"accepted \(.data.number) \(.data.state)"' "$answer" ;;
bihuan.report.received.v1) echo received ;;
*)
    jq -r '.data.problems[] | "rejected \(.path // "") \(.text)"' "$answer"
    exit 1
    ;;
esac
