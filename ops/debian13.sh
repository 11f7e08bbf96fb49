# Seen by the shell alone: what it mounts and starts ends with it. $0 is the tree, $1 the project.
mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; mount --bind "$1" "$0/srv/reportq"
mount --bind "$0/var/lib/reportq" "$0/srv/reportq/var"
for file in $NETWORK; do if [ -e "$file" ]; then touch "$0$file"; mount --bind "$file" "$0$file"; fi; done
tree=$0; shift; exec chroot "$tree" "$@"
