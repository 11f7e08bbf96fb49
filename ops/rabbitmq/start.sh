#!/bin/sh
# Puts the passwords of the secret files into definitions.json and starts RabbitMQ: no password is in the repository,
# none in the environment. Passwords are letters and digits (ops/credentials.py makes them so).
set -eu
secrets=${SECRETS:-/run/secrets}
shipped=${SHIPPED:-/opt/reportq}
configuration=${CONFIGURATION:-/etc/rabbitmq}
umask 077
sed -e "s/@ADMIN_PASSWORD@/$(cat "$secrets/rabbitmq_admin_password")/" \
    -e "s/@REPORTQ_PASSWORD@/$(cat "$secrets/rabbitmq_password")/" \
    "$shipped/definitions.json" > "$configuration/definitions.json"
umask 022
mkdir -p "$configuration/conf.d"
cp "$shipped/rabbitmq.conf" "$configuration/conf.d/50-reportq.conf"
# Well below the container's memory: an alarm stops publishers, the kernel would stop RabbitMQ.
printf '%s\n' "load_definitions = $configuration/definitions.json" 'vm_memory_high_watermark.absolute = 600MB' \
    > "$configuration/conf.d/60-container.conf"
cp "$shipped/enabled_plugins" "$configuration/enabled_plugins"
if id rabbitmq > /dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    chown rabbitmq "$configuration/definitions.json" "$configuration/enabled_plugins"
fi
exec docker-entrypoint.sh rabbitmq-server
