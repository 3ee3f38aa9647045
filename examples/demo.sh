#!/bin/sh
# Runs the text example in a new folder and shows what came out. Needs torc in PATH; no network, no root.
set -eu

command -v torc >/dev/null || { echo 'torc is not in PATH; try: make demo' >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/torc-demo.XXXXXX")
cp -R "$here/data" "$folder"
cp "$here/specs/yaml/text_statistics.yaml" "$folder"
cd "$folder"

show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

echo "Twelve poems, 30 jobs, in $folder"
show torc run text_statistics.yaml
show torc status
show head -n 36 output/text/report.txt

cat <<END

The whole report:    $folder/output/text/report.txt
Logs of the jobs:    $folder/torc_output/job_stdio
The workflow itself: $folder/text_statistics.yaml
Ask more, there:     torc jobs list; torc results list; torc files list
END
