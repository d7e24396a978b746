#!/usr/bin/env bash
# A unit in shell: amqp-consume reads, publish.py sends, files under STATE are the books.
#     AMQP_URL=amqp://unit.c01:PASSWORD@HOST/VHOST ./unit.sh STATE
# Runs until SIGTERM. With CASE_WORD set, files a case for handoffs whose text holds that word. Needs amqp-tools, jq, python3-pika, util-linux (flock).
set -euo pipefail

state=${1:?usage: AMQP_URL=… unit.sh STATE}
url=${AMQP_URL:?AMQP_URL is not set}
here=$(cd "$(dirname "$0")" && pwd)
self="$here/$(basename "$0")"
unit=${url#*://}
unit=${unit%%:*}
# amqp-consume neither acknowledges nor gives back what its program failed with; it only stops. Ending it gives the message back.
if [ "${2:-}" = take ]; then trap 'kill "$PPID"' EXIT; fi
umask 077
mkdir -p "$state"/{heard,recalled,act,sent}

# There whole or not at all, and on disk before anybody is told.
keep() {
    cat > "$1.new"
    sync "$1.new"
    mv "$1.new" "$1"
    sync "$(dirname "$1")"
}

# act HANDOFF SUFFIX KIND DATA: the bytes of one act, made once. Its id follows from what it is, so a repeat is the same act.
# The number in front keeps the order in which acts were made.
act() {
    local name=$1-$2
    compgen -G "$state/act/*_$name" > /dev/null && return
    local number
    number=$(printf %09d "$(find "$state/act" -type f | wc -l)")
    jq -cjn --arg id "$name" --arg source "$unit" --arg type "bihuan.$3.v1" --arg subject "$1" \
        --arg time "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --argjson data "$4" \
        '{specversion: "1.0", $id, $source, $type, $subject, $time, datacontenttype: "application/json", $data}' \
        | keep "$state/act/${number}_$name"
}

conclude() {
    act "$1" disposition disposition.decided '{"disposition":"preliminary_verification"}'
    act "$1" "concluded-$2" handoff.concluded '{"outcome":"substantiated","summary":"经核实，已处理。","reporterAnswered":true}'
}

is_case() {
    [ -n "${CASE_WORD:-}" ] && jq -e --arg word "$CASE_WORD" '.data | "\(.title) \(.text)" | contains($word)' "$1" > /dev/null
}

# What follows from one message that lies in a file. Doing it twice makes nothing new.
react() {
    local handoff type digest round
    type=$(jq -r '.type // ""' "$1") && handoff=$(jq -r '.subject // ""' "$1") || return 0
    # The subject becomes part of file names.
    [[ $handoff =~ ^[A-Za-z0-9-]{1,128}$ ]] || return 0
    case $type in
    bihuan.handoff.dispatched.v1)
        # Queues may reorder: the recall may have come first.
        [ -e "$state/recalled/$handoff" ] && return
        # Over the exact bytes, as they came.
        digest=$(sha256sum < "$1" | cut -d' ' -f1)
        act "$handoff" signed handoff.signed "{\"digest\":\"$digest\"}"
        # What is sealed is for a person with the key.
        [ "$(jq -r '.datacontenttype // ""' "$1")" = application/vnd.bihuan.sealed+json ] && return
        if is_case "$1"; then
            act "$handoff" case-filed case.filed "{\"caseNumber\":\"LA-${handoff: -12}\",\"filedOn\":\"$(date +%Y-%m-%d)\"}"
        fi
        conclude "$handoff" 1
        ;;
    bihuan.handoff.recalled.v1) : | keep "$state/recalled/$handoff" ;;
    bihuan.conclusion.returned.v1)
        [ -e "$state/recalled/$handoff" ] && return
        round=$(jq -r '.inreplyto // ""' "$1")
        round=${round#"$handoff-concluded-"}
        if [[ $round =~ ^[1-4]$ ]]; then conclude "$handoff" $((round + 1)); fi
        ;;
    bihuan.message.refused.v1) jq -c '{refused: .inreplyto, problems: .data.problems}' "$1" >&2 ;;
    esac
}

# Everything that was made and not confirmed yet, in order, and nothing of a handoff that was recalled. Under the same lock as
# taking: once a recall is acknowledged, nothing of its handoff is on its way out.
send() {
    local file name
    for file in "$state"/act/*_*; do
        name=${file##*/}
        [ -e "$file" ] && [ ! -e "$state/sent/$name" ] || continue
        [ -e "$state/recalled/$(jq -r .subject "$file")" ] && continue
        "$here/publish.py" "$file"
        : | keep "$state/sent/$name"
    done
}

# One message on standard input. amqp-consume acknowledges it when this ends well.
take() {
    exec 9> "$state/lock"
    flock 9
    local body id
    body=$(mktemp "$state/arriving.XXXXXX")
    cat > "$body"
    # The broker delivers at least once; the CloudEvents id says what is the same.
    id=$(jq -r '.id // ""' "$body" 2> /dev/null) || id=
    [ -n "$id" ] || id=$(cat "$body")
    id=$(printf %s "$id" | sha256sum | cut -d' ' -f1)
    if [ -e "$state/heard/$id" ]; then rm "$body"; else
        # The acts first: whoever dies in between makes them again, with the same ids, when the message comes again.
        react "$body"
        keep "$state/heard/$id" < "$body"
        rm "$body"
    fi
}

case ${2:-} in
take)
    take
    trap - EXIT
    ;;
send) exec 9> "$state/lock"; flock 9; send ;;
*)
    # Each job in a process group of its own, so that it ends with all it started.
    set -m
    jobs=()
    trap 'trap - EXIT; for job in "${jobs[@]}"; do kill -- "-$job" 2> /dev/null || true; done; exit 0' TERM INT EXIT
    # A reader for each queue, so that what is urgent waits behind nothing. --prefetch-count 1: in order, one at a time.
    for queue in express inbox notice; do
        while :; do
            amqp-consume --url="$url" --queue="$unit.$queue" --prefetch-count=1 "$self" "$state" take || true
            # The broker went away: what was not acknowledged comes again.
            sleep 1
        done &
        jobs+=($!)
    done
    # What fails here is not marked as sent, so it goes again.
    while :; do
        "$self" "$state" send || true
        sleep 0.2
    done &
    jobs+=($!)
    wait
    ;;
esac
