#!/bin/sh
# Replaces the nodes one after the other, each time waiting until the new one is healthy: a rolling
# restart, and, after `docker compose build node` or a new NODE_IMAGE, a rolling update.
#
#   deploy/docker/roll.sh [DOCKER COMPOSE OPTION...]     such as: deploy/docker/roll.sh --profile local
#
# A node that is told to stop says so to the balancer first, so no request is lost.
set -eu

compose() {
    docker compose "$@"
}

nodes=$(compose "$@" ps --quiet node)
count=$(echo "$nodes" | wc -l)
for node in $nodes; do
    docker stop "$node" > /dev/null
    docker rm "$node" > /dev/null
    # The one that is missing is made, of the image as it is now; the others are left alone.
    compose "$@" up --detach --no-deps --no-recreate --scale "node=$count" --wait node > /dev/null 2>&1
    echo "replaced $node"
done
