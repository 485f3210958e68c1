# shellcheck shell=bash
# demo.sh — ./dev demo: a stack of its own, a certificate by a real client, lines to copy.

once=no detach=no dir='' options=() resolver=''
while [ $# -gt 0 ]; do
	case $1 in
	--once) once=yes ;;
	--detach) detach=yes ;;
	--dir | --port | --http01-port | --tlsalpn01-port | --resolver)
		[ $# -ge 2 ] || fail "$1 wants a value"
		case $1 in
		--dir) dir=$(readlink -m "$2") ;;
		--resolver)
			resolver=$2
			options+=("$1" "$2")
			;;
		*)
			if ! [[ $2 =~ ^[0-9]{1,5}$ && $2 -ge 1 && $2 -le 65535 ]]; then fail "$1 wants a port number, not '$2'"; fi
			options+=("$1" "$2")
			;;
		esac
		shift
		;;
	*) fail "demo: unknown option '$1'; ./dev help lists them" ;;
	esac
	shift
done
[ -n "$dir" ] || dir=$(mktemp -d /var/tmp/assay-demo.XXXXXX)

step "packages"
packages "${BUILD_PACKAGES[@]}" "${STACK_PACKAGES[@]}" lego
step "build"
build release
step "stack"
[ $detach = yes ] || options+=(--parent $$)
stack_up "$dir" release "${options[@]}" || fail "the stack did not start; its logs are in $dir/log"
echo "$dir" >"$DEMO_RECORD"

# shellcheck source=/dev/null
. "$dir/env"

finish() {
	trap - EXIT INT TERM
	step "stopping"
	stack_down "$dir" || true
}
[ $detach = yes ] || trap finish EXIT
[ $detach = yes ] || trap 'exit 130' INT TERM

# With --resolver the names are somebody else's: only --once asks for a certificate then.
if [ -z "$resolver" ] || [ $once = yes ]; then
	step "a certificate by a real client (lego, http-01)"
	name=demo-$$.assay.test
	rm -rf "$dir/client"
	as_stack_user mkdir -p "$dir/client"
	as_stack_user env LEGO_CA_CERTIFICATES="$ACME_CA_ROOT" lego --server "$ACME_DIRECTORY" --accept-tos \
		--email demo@assay.test --path "$dir/client" --domains "$name" --http --http.port "127.0.0.1:$HTTP01_PORT" \
		run >"$dir/log/client.log" 2>&1 || {
		tail -20 "$dir/log/client.log" >&2
		fail "lego got no certificate; its log is $dir/log/client.log, the programs' logs are beside it"
	}
	as_stack_user openssl verify -CAfile "$ISSUER_ROOT" -untrusted "$dir/client/certificates/$name.issuer.crt" \
		-verify_hostname "$name" "$dir/client/certificates/$name.crt" >"$dir/log/verify.log" 2>&1 || {
		cat "$dir/log/verify.log" >&2
		fail "the certificate does not verify against $ISSUER_ROOT"
	}
	info "$name: obtained and verified"
	openssl x509 -in "$dir/client/certificates/$name.crt" -noout -subject -issuer -serial -dates -ext subjectAltName |
		sed 's/^/    /'
fi

if [ $once = yes ]; then
	step "done"
	exit 0
fi

cat <<TXT

assay is up. ACME directory:
  $ACME_DIRECTORY

Every name resolves to 127.0.0.1 for it; http-01 goes to port $HTTP01_PORT, tls-alpn-01 to port $TLSALPN01_PORT.
Trust the server and what it issues on this machine (undo by removing the two files and running it again):
  sudo cp $ACME_CA_ROOT /usr/local/share/ca-certificates/assay-demo-tls.crt
  sudo cp $ISSUER_ROOT /usr/local/share/ca-certificates/assay-demo.crt && sudo update-ca-certificates

certbot:
  REQUESTS_CA_BUNDLE=$ACME_CA_ROOT certbot certonly --standalone --http-01-port $HTTP01_PORT --server $ACME_DIRECTORY \\
    --register-unsafely-without-email --agree-tos --config-dir ./certbot --work-dir ./certbot --logs-dir ./certbot -d www.example.test
lego:
  LEGO_CA_CERTIFICATES=$ACME_CA_ROOT lego --server $ACME_DIRECTORY --accept-tos --email you@example.test \\
    --domains www.example.test --http --http.port 127.0.0.1:$HTTP01_PORT run
acme.sh:
  acme.sh --issue --standalone --httpport $HTTP01_PORT --server $ACME_DIRECTORY --ca-bundle $ACME_CA_ROOT -d www.example.test
Caddy (Caddyfile):
  {
    acme_ca $ACME_DIRECTORY
    acme_ca_root $ACME_CA_ROOT
    http_port $HTTP01_PORT
    https_port $TLSALPN01_PORT
  }
  www.example.test

Variables for other tools: $dir/env    logs: $dir/log    a shell with both: ./dev shell --dir $dir
TXT
if [ $detach = yes ]; then
	echo "It stays up until: ./dev stop --dir $dir"
	exit 0
fi
echo "Ctrl-C stops it."
while kill -0 "$SUPERVISOR_PID" 2>/dev/null || [ -d "/proc/$SUPERVISOR_PID" ]; do sleep 1 & wait $!; done
trap - EXIT
fail "the stack ended by itself; look into $dir/log/supervisor.log"
