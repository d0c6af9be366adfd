#!/bin/sh
# redis-cli as the operator, who reads everything and changes nothing:
#   docker compose exec redis operator hgetall ...
set -eu
REDISCLI_AUTH=$(cat /run/secrets/operator.password)
export REDISCLI_AUTH
exec redis-cli --user operator "$@"
