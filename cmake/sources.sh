#!/bin/sh
# Print every C file of ours, one a line, from the root of the tree.
set -eu
for folder in base ring gossip quorum storage node tests; do
    [ ! -d "$folder" ] || find "$folder" -name '*.[ch]' -type f
done | LC_ALL=C sort
