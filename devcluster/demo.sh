#!/bin/sh
# Starts the incident, opens ktriage on it, and says afterwards how to go on. Called by `make demo`.
set -eu
line=$(bin/devcluster up --scenario incident)
eval "$line"
status=0
bin/ktriage "$@" || status=$?
cat <<TEXT

The cluster still runs. To look at it again:
  $line && bin/ktriage
To use kubectl on it:
  bin/devcluster kubectl get pods -A
To end it:
  bin/devcluster down
TEXT
exit "$status"
