# Functions for trying Tradeguard from a shell, used by the pages of this folder: `. docs/shell.sh`, in bash, in the
# repository's folder, beside an installation that runs. Needs curl, openssl and node.

export DATA=${DATA:-.data}
export DATA_DIR=$DATA
endpoint() { node -p "JSON.parse(require('fs').readFileSync('$DATA/endpoints.json')).$1"; }
API=${API:-$(endpoint api)}
DEVICE=$(cat <<'JSON'
{"userAgent":"Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0","screen":{"width":1920,"height":1080,"colorDepth":24,"pixelRatio":1},"timezone":"UTC","language":"en","platform":"Linux x86_64","plugins":[]}
JSON
)

tradeguard() { node cli/bin.js "$@"; }
uuid() { node -p 'crypto.randomUUID()'; }
# One member of a JSON answer, as text: field session.token
field() { node -p "JSON.parse(require('fs').readFileSync(0, 'utf8')).$1"; }
# Some members, one a line.
pick() { node -e "const a = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  for (const p of process.argv.slice(1)) console.log(p + ':', JSON.stringify(p.split('.').reduce((o, k) => o?.[k], a)))" "$@"; }
# Some members of every item of a page, one item a line.
items() { node -e "const a = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  for (const i of a.items) console.log(process.argv.slice(1).map((p) => p.split('.').reduce((o, k) => o?.[k], i)).join('  '))" "$@"; }

# call METHOD PATH [BODY] [curl options], with the session in TOKEN. A refusal is printed, and makes it fail.
call() {
  curl -sS --fail-with-body -X "$1" "$API$2" ${TOKEN:+-H "Authorization: Bearer $TOKEN"} "${@:4}" \
    ${3:+-H 'Content-Type: application/json' -d "$3"}
}
# as TOKEN COMMAND ...: a command with somebody else's session.
as() { TOKEN=$1 "${@:2}"; }
# refused COMMAND ...: for calls that must be refused. Prints the refusal; an answer of another kind makes it fail.
refused() { ! "$@" 2> /dev/null; }
# eventually COMMAND ...: again and again until it succeeds, for up to two minutes.
eventually() {
  local deadline=$((SECONDS + 120))
  until "$@" > /dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || { "$@"; return 1; }
    sleep 1
  done
}

# new_code SECRET: a code of an authenticator, in CODE. Each is good once: the next one, where this one was used.
declare -A LAST_STEP=()
new_code() {
  local step
  step=$(node -p "Math.max(Math.floor(Date.now() / 30000), ${LAST_STEP[$1]:-0} + 1)")
  while [ "$step" -gt $(($(date +%s) / 30 + 1)) ]; do sleep 1; done
  LAST_STEP[$1]=$step
  CODE=$(node -e "import('otpauth').then(({ TOTP, Secret }) =>
    console.log(new TOTP({ secret: Secret.fromBase32('$1') }).generate({ timestamp: $step * 30000 })))")
}
# The newest code that was mailed to an address; letters are files until SMTP_URL is set.
mailed_code() { grep -l "To: $1" "$DATA"/mail/*.eml | tail -1 | xargs grep -ohE '\b[0-9]{6}\b' | tail -1; }
# mailed_token EMAIL PAGE: the token of the newest link to a page that was mailed to an address; waits for the letter.
mailed_token() {
  letters() { grep -l "To: $1" "$DATA"/mail/*.eml | xargs grep -ohE "/$2#token=[A-Za-z0-9_-]+"; }
  eventually letters "$1" "$2"
  letters "$1" "$2" | tail -1 | cut -d= -f2
}

# sign_in EMAIL PASSWORD: prints the answer.
sign_in() { TOKEN='' call POST /api/auth/login '{"email":"'"$1"'","password":"'"$2"'","device":'"$DEVICE"'}'; }
# sign_in_with_code EMAIL PASSWORD SECRET: the session's token, in SESSION. Without a SECRET the first sign-in of staff
# enrols an authenticator, whose secret is then in ENROLLED.
sign_in_with_code() {
  local answer
  answer=$(sign_in "$1" "$2")
  ENROLLED=${3:-$(echo "$answer" | field totp.secret)}
  new_code "$ENROLLED"
  SESSION=$(TOKEN='' call POST "/api/auth/login/$(echo "$answer" | field loginId)/factors" \
    '{"method":"totp","code":"'"$CODE"'"}' | field session.token)
}
# is PATH MEMBER VALUE: whether a member of an answer has this value; for `eventually`.
is() { [ "$(call GET "$1" | field "$2")" = "$3" ]; }
# step_up SECRET: proves the authenticator again; good for five minutes.
step_up() {
  new_code "$1"
  call POST /api/auth/step-up '{"method":"totp","code":"'"$CODE"'"}' | pick status
}
# A signing key of the session's owner, in KEY_ID, SECRET and AUDIENCE. Needs a factor of the last five minutes.
new_signing_key() {
  local key
  key=$(call POST /api/signing-keys '{}')
  KEY_ID=$(echo "$key" | field keyId) SECRET=$(echo "$key" | field secret) AUDIENCE=$(echo "$key" | field audience)
}
# signed METHOD PATH BODY [IDEMPOTENCY_KEY]: docs/request-signing.md explains every line.
signed() {
  local idempotency_key=${4:-$(uuid)} nonce now body_hash hex_key signature
  nonce=$(uuid) now=$(date +%s)
  body_hash=$(printf %s "$3" | openssl dgst -sha256 -r | cut -d' ' -f1)
  hex_key=$(node -p "Buffer.from('$SECRET', 'base64url').toString('hex')")
  signature=$(printf '%s\n%s\n%s\n%s\n%s\n%s\n%s\n\n%s\n%s' TG1-HMAC-SHA256 "$KEY_ID" "$now" "$nonce" "$1" "$AUDIENCE" "$2" \
    "$idempotency_key" "$body_hash" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hex_key" -r | cut -d' ' -f1)
  call "$1" "$2" "$3" -H "Idempotency-Key: $idempotency_key" -H "X-Key-Id: $KEY_ID" -H "X-Timestamp: $now" \
    -H "X-Nonce: $nonce" -H 'X-Algorithm: sha256' -H "X-Signature: $signature"
}
trade() { signed POST /api/transactions "$@"; }

# SQL as the owner of the tables, one row a line.
sql() { node --input-type=module -e "import pg from 'pg';
  const client = new pg.Client(process.argv[1]);
  await client.connect();
  try {
    const results = [await client.query(process.argv[2])].flat();
    for (const { rows } of results) for (const row of rows) console.log(Object.values(row).map((value) => value instanceof Date ? value.toISOString() : value).join('  '));
  } finally { await client.end(); }" "${DATABASE_OWNER_URL:-$(endpoint databaseOwner)}" "$1"; }
# The Temporal CLI of the machine, or the one that `npm start` brought.
temporal() {
  local program
  program=$(type -P temporal || ls "${XDG_CACHE_HOME:-$HOME/.cache}"/tradeguard/bin/temporal-[0-9]* | tail -1)
  "$program" --address "${TEMPORAL_ADDRESS:-$(endpoint temporal)}" "$@"
}
