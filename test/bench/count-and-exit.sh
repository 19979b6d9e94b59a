#!/bin/bash
# count-and-exit.sh N FILE COMMAND [ARGUMENT…]: what supertick replaces. Counts one tick in FILE, runs the command on
# every Nth, answers, and exits, so that supervisord's autorestart starts it again for the next tick.
goal=$1 file=$2
shift 2

printf 'READY\n'
read -r header || exit 0
read -r -N "${header##*len:}" payload
count=$(head -n 1 "$file" 2>/dev/null)
count=$((count + 1))
if ((count >= goal)); then
  count=0
  "$@" </dev/null >&2
fi
echo "$count" >"$file"
printf 'RESULT 2\nOK'
