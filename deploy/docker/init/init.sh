#!/bin/sh
# Makes what the compose file's services need and nobody should have to make by hand: the master
# key, Redis's passwords and users, and the certificate of the local CA's own HTTPS server.
#
# What exists is kept, so it may be run at any time; users.acl is written anew each time, from its
# template and the passwords. Each file is root's, readable for the group of its one reader.
set -eu
umask 077

NODE=65532  # the group of the node's image and of the local CA
REDIS=999   # the group of Redis's image

# keep FILE GROUP: puts standard input there, unless there is something.
keep() {
    if [ -s "$1" ]; then
        cat > /dev/null
        return
    fi
    put "$1" "$2"
    echo "init: made $1"
}

# put FILE GROUP: puts standard input there as one whole.
put() {
    cat > "$1.new"
    chgrp "$2" "$1.new"
    chmod 640 "$1.new"
    mv "$1.new" "$1"
}

sha256() {
    printf %s "$(cat "$1")" | openssl dgst -sha256 -r | cut -d ' ' -f 1
}

openssl rand -base64 32 | keep /secrets/node/master.key "$NODE"
openssl rand -hex 32 | keep /secrets/node/redis-node.password "$NODE"
openssl rand -hex 32 | keep /secrets/redis/operator.password "$REDIS"
printf 'redis_url = "redis://node:%s@redis:6379/0"\n' "$(cat /secrets/node/redis-node.password)" |
    keep /secrets/node/certfleet.toml "$NODE"
sed -e "s/{FLEET}/{$FLEET}/g" \
    -e "s/#NODE/#$(sha256 /secrets/node/redis-node.password)/" \
    -e "s/#OPERATOR/#$(sha256 /secrets/redis/operator.password)/" \
    /templates/users.acl | put /secrets/redis/users.acl "$REDIS"

# The root's key is used once and forgotten.
if [ ! -s /secrets/local-ca/ca.pem ]; then
    cd /tmp
    for name in root server; do
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$name.key"
    done
    certificate() {
        openssl req -x509 -new -days 3650 -config /init/openssl.cnf "$@"
    }
    certificate -subj "/CN=certfleet local root" -extensions root -key root.key -out ca.pem
    certificate -subj "/CN=pebble" -extensions server -key server.key -CA ca.pem -CAkey root.key -out server.pem
    for file in server.key server.pem ca.pem; do
        put "/secrets/local-ca/$file" "$NODE" < "$file"
    done
    echo "init: made /secrets/local-ca/ca.pem"
fi
