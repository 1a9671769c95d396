#!/bin/sh
# What building and testing need beside Rust: looks for it and, on Debian, installs what is missing and says what.
set -eu

missing=""
look() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
look cc "gcc libc6-dev"
look python3 python3

[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "These are missing, under the names that Debian gives them:$missing" >&2
    exit 1
fi
as_root=""
[ "$(id -u)" -eq 0 ] || as_root=sudo
echo "Installing:$missing"
$as_root apt-get update -q
# shellcheck disable=SC2086 # a list of packages
$as_root apt-get install -q -y --no-install-recommends $missing
