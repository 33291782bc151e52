#!/usr/bin/env bash
# The whole system on one machine: our CloudFormation and our function on MiniStack, which stands for AWS, loading into a
# real MariaDB and a real PostgreSQL. `make demo-aws` starts the servers and runs it, in a directory that goes
# with them.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$PWD

# Shows a command as it would be typed.
say() {
    local word line=
    for word; do
        [[ $word == *[!a-zA-Z0-9_./:=,-]* ]] && word="'$word'"
        line+=" $word"
    done
    printf '\n$%s\n' "$line"
}

# The same, and runs it.
show() {
    say "$@"
    "$@"
}

# The AWS CLI, here. Version 1 of it does not heed AWS_ENDPOINT_URL for queues.
aws() {
    command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"
}

# Says what comes next.
tell() {
    printf '\n# %s\n' "$@"
}

# One of a stack's outputs.
output() {
    aws cloudformation describe-stacks --stack-name "$1" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$2'].OutputValue"
}

# Counts what the database holds.
rows() {
    local query='SELECT COUNT(*), COUNT(DISTINCT id) FROM acme'
    printf '\n$ %s "%s"\n' "$2" "$query"
    python - "$1" "$query" <<'PYTHON'
import json, os, sys
kind, query = sys.argv[1:]
host, port = os.environ[kind.upper()].split(":")
with open(os.environ[f"{kind.upper()}_LOGIN"]) as file:
    login = json.load(file)
if kind == "mariadb":
    import pymysql
    connection = pymysql.connect(host=host, port=int(port), user=login["username"], password=login["password"], database="sales")
else:
    import psycopg
    connection = psycopg.connect(host=host, port=port, user=login["username"], password=login["password"], dbname="sales")
cursor = connection.cursor()
cursor.execute(query)
total, distinct = cursor.fetchone()
print(f"{total} rows, {distinct} different ids")
sys.exit((total, distinct) != (int(os.environ["ROWS"]),) * 2)
PYTHON
}

# Deploys a stack that loads into a database, splits the export into its bucket, and follows it to its join. Further
# arguments are parameters of the stack: with those of a split function, it is that which splits.
run_on() {
    local stack=$1 kind=$2 into=$3 login=$4 client=$5
    local secret destination topic queue joins source=acme.csv engine=()
    shift 5

    tell "A stack of the template, which loads into $into."
    say aws secretsmanager create-secret --name "$stack-login" --secret-string file://login.json --query ARN --output text
    secret=$(aws secretsmanager create-secret --name "$stack-login" --secret-string "file://$login" --query ARN --output text)
    echo "$secret"
    show aws cloudformation deploy --stack-name "$stack" --template-file splitjoin.json --capabilities CAPABILITY_IAM \
        --parameter-overrides CodeBucket=acme-code CodeKey=splitjoin-1.zip "Runtime=python$python" "Into=$into" \
        CreateTable=1 "SecretArn=$secret" "$@"
    destination=$(output "$stack" Destination) queue=$(output "$stack" QueueUrl) topic=$(output "$stack" JoinTopicArn)
    # MiniStack takes the number for text, and polls no queue then. AWS needs no such line.
    aws lambda update-event-source-mapping --scaling-config MaximumConcurrency=4 --output text --query State --uuid \
        "$(aws lambda list-event-source-mappings --function-name "$(output "$stack" FunctionName)" --output text \
            --query 'EventSourceMappings[0].UUID')" >/dev/null

    # A queue hears of joins, as whatever goes on then would.
    joins=$(aws sqs create-queue --queue-name "$stack-joins" --query QueueUrl --output text)
    show aws sns subscribe --topic-arn "$topic" --protocol sqs --notification-endpoint \
        "$(aws sqs get-queue-attributes --queue-url "$joins" --attribute-names QueueArn --query Attributes.QueueArn --output text)" \
        --output text

    if [[ $# -gt 0 ]]; then
        tell "The export is on S3 as well: the split function reads it and stores the chunks, and none of it comes here."
        show aws s3 mb s3://acme-exports
        show aws s3 cp --no-progress acme.csv s3://acme-exports/
        source=s3://acme-exports/acme.csv engine=(--engine "lambda:$(output "$stack" SplitFunctionName)" --jobs 4)
    fi
    tell "Split into its bucket: a notification of each chunk goes to the queue, and from there to the function."
    SPLITJOIN_TRACKER=$(output "$stack" Tracker)
    export SPLITJOIN_TRACKER
    say export "SPLITJOIN_TRACKER=$SPLITJOIN_TRACKER"
    show splitjoin split "$source" "$destination" --date 20240131 --chunks "$CHUNKS" -q "${engine[@]}"
    say splitjoin status acme_20240131 --watch 1
    timeout "$SECONDS_TO_JOIN" splitjoin status acme_20240131 --watch 1

    tell "Chunks that come again are known, and not loaded again."
    show splitjoin retry acme_20240131 --to "sqs:$queue" --chunks "1-$((CHUNKS / 2))" --counted -q
    settled "$queue"

    rows "$kind" "$client"
    say aws sqs receive-message --queue-url "$joins" --max-number-of-messages 10
    told "$joins"
}

# Waits until a queue has neither waiting nor held messages.
settled() {
    local counts
    for _ in $(seq 600); do
        counts=$(aws sqs get-queue-attributes --queue-url "$1" --output text --attribute-names \
            ApproximateNumberOfMessages ApproximateNumberOfMessagesNotVisible \
            --query 'join(`,`, [Attributes.ApproximateNumberOfMessages, Attributes.ApproximateNumberOfMessagesNotVisible])')
        [[ $counts == 0,0 ]] && return
        sleep 0.2
    done
    echo "the queue still has messages (waiting, held): $counts" >&2
    return 1
}

# Prints what was told of joins, which must be one message.
told() {
    aws sqs receive-message --queue-url "$1" --max-number-of-messages 10 --output json | python -c '
import json, sys
messages = [json.loads(json.loads(one["Body"])["Message"]) for one in json.load(sys.stdin)["Messages"]]
print(*map(json.dumps, messages), sep="\n")
print(len(messages), "join message" + "s" * (len(messages) != 1))
sys.exit(len(messages) != 1)'
}

# Writes an export, with so much text in each note.
export_rows() {
    TEXT=$1 python - <<'PYTHON'
# Notes hold commas, quotes and newlines: records that a split by lines would tear apart.
import csv, os
text = " ".join(["first line, \"quoted\"\nsecond line"] * int(os.environ["TEXT"]))
with open("acme.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["id", "name", "note"])
    for number in range(int(os.environ["ROWS"])):
        writer.writerow([number, f"customer {number}", text if number % 3 else ""])
PYTHON
    show ls -l acme.csv
}

export ROWS=100000
SECONDS_TO_JOIN=300
tell "An export of $ROWS rows, with newlines inside quotes; databases and AWS's stand-in run on this machine."
export_rows 1

tell "The code of the two functions, built for the Python that runs them here."
# MiniStack runs functions in its own Python, which is that of all environments here; on AWS it is the runtime's.
python=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
architecture=$(uname -m)
architecture=${architecture/aarch64/arm64}
say make lambda "LAMBDA_PYTHON=$python" "LAMBDA_ARCHITECTURE=$architecture" LAMBDA_ZIP=function.zip SPLIT_ZIP=split.zip
make -C "$root" lambda "LAMBDA_PYTHON=$python" "LAMBDA_ARCHITECTURE=$architecture" "LAMBDA_ZIP=$work/function.zip" \
    "SPLIT_ZIP=$work/split.zip" | sed "s#$work/##g"
show aws s3 mb s3://acme-code
show aws s3 cp --no-progress function.zip s3://acme-code/splitjoin-1.zip
show aws s3 cp --no-progress split.zip s3://acme-code/split-1.zip

printf '\n$ splitjoin template > splitjoin.json\n'
splitjoin template -q >splitjoin.json

CHUNKS=24
run_on sales-mariadb mariadb "mysql://$MARIADB/sales" "$MARIADB_LOGIN" "mariadb sales -e"

tell "A larger export, split by functions: a unit of work for each range to scan, and for each chunk to store."
CHUNKS=3
export_rows 10
run_on sales-postgresql postgresql "postgresql://$POSTGRESQL/sales" "$POSTGRESQL_LOGIN" "psql sales -c" \
    SplitCodeKey=split-1.zip "SplitSourceArns=arn:aws:s3:::acme-exports/*"

printf '\nEvery row of the export is in both databases, once, and each job was joined once.\n'
