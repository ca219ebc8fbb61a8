# The program is behind these lines: the runtime and the bundle, each compressed with gzip. The first start unpacks both into a folder
# of the user's cache; each start looks whether they are whole there, and becomes the runtime, which keeps the process and its signals.

# Whether both files in folder $1 are as they were unpacked, by mode, size and time of change: their bytes are not read.
# ls has no environment, which could change how it writes these; after the mode may stand a mark of SELinux or of access lists.
is_whole() {
  set -- "$1" $(cd "$1" 2>/dev/null && env -i PATH="$PATH" LC_ALL=C TZ=UTC0 ls -ln sockbal sockbal.js 2>/dev/null)
  [ "${2%[.+@]} $6 $7 $8 $9 ${10}" = "-r-x------ $runtime_bytes Jan 1 1990 sockbal" ] &&
    [ "${11%[.+@]} ${15} ${16} ${17} ${18} ${19}" = "-r-------- $bundle_bytes Jan 1 1990 sockbal.js" ] &&
    [ -x "$1/sockbal" ]
}

# Whether $1 is a folder of this user: where all may write, another one can have made it first.
is_own() {
  [ -d "$1" ] && [ ! -h "$1" ] && [ -O "$1" ]
}

# Unpacks beside, then moves each file to its place in folder $1, where it is whole from the beginning: another start may be doing the
# same, and a program that runs from there starts its workers from these files. Runs in a shell of its own, which tidies up.
unpack() {
  own=${1%/*}
  mkdir -p "${own%/*}" && { [ -d "$own" ] || mkdir -m 700 "$own" || [ -d "$own" ]; } || exit
  is_own "$own" || { echo "it belongs to another user"; exit 1; }
  mkdir -p "$1" && new=$(mktemp -d "$1/new.XXXXXX") || exit
  trap 'rm -rf "$new"' EXIT
  trap 'exit 1' HUP INT TERM
  tail -n "+$payload_line" <"$0" 2>/dev/null | head -c "$runtime_packed_bytes" | gzip -dc >"$new/sockbal" &&
    tail -c "$bundle_packed_bytes" <"$0" | gzip -dc >"$new/sockbal.js" &&
    chmod 500 "$new/sockbal" && chmod 400 "$new/sockbal.js" &&
    TZ=UTC0 touch -t 199001010000.00 "$new/sockbal" "$new/sockbal.js" || exit
  is_whole "$new" || { echo "the files there cannot be as they have to be"; exit 1; }
  "$new/sockbal" --version </dev/null >/dev/null 2>&1 || { echo "no program for $target can run there"; exit 1; }
  mv -f "$new/sockbal" "$new/sockbal.js" "$1/"
}

# Becomes the program in folder $1. The runtime keeps compiled code beside it, which makes later starts fast, and asks no server
# whether there is a newer version.
become() {
  folder=$1
  shift
  export DENO_DIR="$folder/code" DENO_NO_UPDATE_CHECK=1
  exec "$folder/sockbal" run $flags "$folder/sockbal.js" "$@"
}

case ${XDG_CACHE_HOME:-} in
/*) cache=$XDG_CACHE_HOME ;;
*) cache=${HOME:-/nonexistent}/.cache ;;
esac
in_cache=$cache/sockbal/$digest
in_tmp=${TMPDIR:-/tmp}/sockbal-$(id -u)/$digest

for place in "$in_cache" "$in_tmp"; do
  if is_own "${place%/*}" && is_whole "$place"; then become "$place" "$@"; fi
done

if [ "$(tail -n "+$payload_line" <"$0" | wc -c)" -ne $((runtime_packed_bytes + bundle_packed_bytes)) ]; then
  echo "sockbal: the file $0 is not whole; copy it again" >&2
  exit 1
fi
faults=
newline='
'
for place in "$in_cache" "$in_tmp"; do
  if why=$(unpack "$place" 2>&1); then become "$place" "$@"; fi
  # The first line of what was said; gzip begins with an empty one.
  why=${why#"$newline"}
  faults="$faults; ${place%/*}: ${why%%"$newline"*}"
done
echo "sockbal: cannot unpack itself; set XDG_CACHE_HOME or TMPDIR to a folder that can be written$faults" >&2
exit 1
