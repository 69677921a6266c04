#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
#
# Programs that were not written for this, dumped by CRIU with relinktrace and restored:
# each goes on with what it had begun, and its data is what it was.

load lib

setup_file() {
	criu_modules
}

# Below the tree, which a virtual machine has a copy without them of.
PROGRAMS=${RELINKTRACE_TEST_TREE:-$TOP}/build/programs/usr/sbin

# needs COMMAND...: of `tools/setup programs`, and CRIU.
needs() {
	local command
	for command; do
		PATH=$PATH:/usr/sbin:$PROGRAMS command -v "$command" >/dev/null ||
			skip "$command is not installed (tools/setup programs)"
	done
	# 3.17 knows of kernels up to 6.1 or so.
	[[ $(uname -r) == 6.1.* ]] || skip "criu does not work on this kernel"
}

# begin COMMAND...: in the cgroup and a session of its own, with its input and output at
# our hands. By FIFOs, of which CRIU opens the names again.
begin() {
	mkfifo "$T/in" "$T/out"
	in_cgroup "$CG" setsid "$@" <"$T/in" >"$T/out" 2>"$T/err" 3>&- &
	PROGRAM=$!
	exec {TO}<>"$T/in" {FROM}<>"$T/out"
}

# said_until LINE: what the program says up to that line.
said_until() {
	local line
	while IFS= read -r -t "$PATIENCE" -u "$FROM" line; do
		echo "$line"
		[[ $line != "$1" ]] || return 0
	done
	return 1
}

# revive FILTER [WORD FOR CRIU]...: dumps the program, which ends, and restores it; jq says
# by FILTER whether the manifest is as expected.
revive() {
	mkdir "$T/images"
	rt criu dump --tree "$PROGRAM" --images-dir "$T/images" -- -v4 -o dump.log "${@:2}"
	[ "$status" -eq 0 ] || { grep Error "$T/images/dump.log" >&2 && false; }
	[[ $output == *" 0 left to CRIU"* ]]
	jq -e "$1" "$T/images/relinktrace.json" >/dev/null
	wait "$PROGRAM" || true
	"$HELPERS/await" "$CG" populated 0
	rt criu restore --images-dir "$T/images" -- -v4 -o restore.log "${@:2}"
	[ "$status" -eq 0 ] || { grep Error "$T/images/restore.log" >&2 && false; }
	no_new_names
}

@test "a Python program goes on with its locks, its queue and its other process" {
	needs python3
	begin /usr/bin/python3 -c '
import multiprocessing, sys
context = multiprocessing.get_context("fork")
lock, done = context.Lock(), context.Semaphore(0)
def other():
    lock.acquire()
    print("other has it", flush=True)
    lock.release()
    done.release()
lock.acquire()
process = context.Process(target=other)
process.start()
print("ready", flush=True)
sys.stdin.readline()
assert not lock.acquire(block=False)
print("still mine", flush=True)
lock.release()
assert done.acquire(timeout=60)
process.join()
print("joined", process.exitcode, flush=True)
sys.stdin.readline()'
	until_said ready
	revive 'any(.entries[]; .fstype == "tmpfs")'
	echo >&"$TO"
	until_said 'still mine'
	until_said 'other has it'
	until_said 'joined 0'
}

# 4 MiB, more than a socket holds and CRIU takes. Its client and its upstream are dumped
# with it: CRIU takes no half of a connection.
@test "nginx passes on a request whose body it had on disk" {
	needs nginx python3
	mkdir "$DIR/body"
	cat >"$T/nginx.conf" <<-END
		daemon off; master_process off; user root; pid $T/nginx.pid; error_log $T/error.log;
		events {}
		http {
			access_log off; client_max_body_size 8m;
			client_body_temp_path $DIR/body; client_body_buffer_size 1k;
			proxy_temp_path $T; fastcgi_temp_path $T; uwsgi_temp_path $T; scgi_temp_path $T;
			server { listen unix:$T/http; location / { proxy_pass http://unix:$T/upstream; } }
		}
	END
	begin env PATH="$PATH:/usr/sbin:$PROGRAMS" /usr/bin/python3 -c '
import hashlib, socket, subprocess, sys
here = sys.argv[1]
body = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(131072))
upstream = socket.socket(socket.AF_UNIX)
upstream.bind(here + "/upstream")
upstream.listen()
nginx = subprocess.Popen(["nginx", "-c", here + "/nginx.conf"], stdin=subprocess.DEVNULL)
client = socket.socket(socket.AF_UNIX)
while client.connect_ex(here + "/http"): pass
client.sendall(b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
inside, _ = upstream.accept()
print("ready", flush=True)
sys.stdin.readline()
got = b""
while b"\r\n\r\n" not in got or len(got.split(b"\r\n\r\n", 1)[1]) < len(body):
    more = inside.recv(1 << 20)
    assert more
    got += more
assert got.split(b"\r\n\r\n", 1)[1] == body
inside.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nlike")
inside.close()
answer = client.makefile("rb").read()
assert answer.startswith(b"HTTP/1.1 200 OK") and answer.endswith(b"like"), answer
print("answered", flush=True)
sys.stdin.readline()' "$T"
	until_said ready
	revive 'any(.entries[]; .size == 4194304)'
	echo >&"$TO"
	until_said answered
}

# Its client, whose connection and temporary table it has, is dumped with it. To InnoDB's
# monitor it writes by way of one of its files without a name. It is told not to use libaio
# and to reserve no more memory than it has, which CRIU does not take.
@test "MariaDB goes on with a session, its transaction and its temporary table" {
	needs mariadbd mariadb
	local sums before after
	mkdir "$DIR/data"
	mkfifo "$T/log"
	# shellcheck disable=SC2016 # for that shell
	begin sh -c '
		exec 3<>"$1/log"
		"$0" --no-defaults --user=root --datadir="$2/data" --tmpdir="$2" \
			--skip-grant-tables --skip-networking --socket="$1/socket" \
			--pid-file="$1/pid" --skip-performance-schema \
			--innodb-use-native-aio=0 --innodb-log-file-size=4M \
			--innodb-buffer-pool-size=8M --innodb-buffer-pool-size-max=16M \
			</dev/null >"$1/log" 2>&1 &
		while read -r line <&3; do
			case $line in *"ready for connections"*) break ;; esac
		done
		exec mariadb --no-defaults --socket="$1/socket" -B -N -n
	' "$(PATH=$PATH:/usr/sbin command -v mariadbd)" "$T" "$DIR"
	sums="SELECT 'sums', COUNT(*), MD5(GROUP_CONCAT(MD5(x) ORDER BY n)) FROM"
	cat >&"$TO" <<-END
		CREATE DATABASE d; USE d;
		CREATE TABLE t (n INT PRIMARY KEY, x BLOB) ENGINE=InnoDB;
		CREATE TEMPORARY TABLE s LIKE t;
		INSERT INTO t SELECT seq, REPEAT(MD5(seq), 20) FROM seq_1_to_500;
		INSERT INTO s SELECT seq, REPEAT(SHA1(seq), 20) FROM seq_1_to_500;
		BEGIN; UPDATE t SET x = 'changed' WHERE n = 7; UPDATE s SET x = 'changed' WHERE n = 8;
		$sums t; $sums s; SELECT 'ready';
	END
	before=$(said_until ready)
	[[ $before == *sums*500*sums*500*ready ]]
	revive '[.entries[] | select(.nlink == 0)] | length >= 3' --file-locks
	echo "$sums t; $sums s; SELECT 'ready';" >&"$TO"
	after=$(said_until ready)
	diff <(echo "$before") <(echo "$after") >&2
	echo 'SHOW ENGINE INNODB STATUS; ROLLBACK;' >&"$TO"
	until_said '*INNODB MONITOR OUTPUT*END OF INNODB MONITOR OUTPUT*'
	echo "SELECT IF(x = 'changed', 'kept', 'as it was') FROM t WHERE n = 7;" >&"$TO"
	until_said 'as it was'
	echo "SELECT CONCAT('temporary ', COUNT(*)) FROM s WHERE x = REPEAT(SHA1(n), 20);" >&"$TO"
	until_said 'temporary 500'
}
