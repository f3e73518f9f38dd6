#!/bin/sh
# Deploy the service, or update it: BUCKET=… sh deploy.sh UserPoolId=… UserPoolClientId=… NAME=VALUE …
set -eu
: "${BUCKET:?Set BUCKET to a bucket of yours in the region of the pool.}"
stack=${STACK:-password-service}
# Other code gets another key, so that CloudFormation sees that it changed.
key=password-service/$(cksum <functions.zip | tr ' ' -).zip

aws s3 cp functions.zip "s3://$BUCKET/$key"
aws cloudformation deploy --stack-name "$stack" --template-file password-service.template.json \
    --s3-bucket "$BUCKET" --s3-prefix password-service --capabilities CAPABILITY_IAM \
    --no-fail-on-empty-changeset \
    --parameter-overrides "CodeBucket=$BUCKET" "CodeKey=$key" "$@"
aws cloudformation describe-stacks --stack-name "$stack" --output table \
    --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]'
