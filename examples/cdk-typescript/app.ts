// A CDK app in TypeScript, with the password service for a user pool that exists.
import { App, Stack } from 'aws-cdk-lib';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';

const app = new App();
const stack = new Stack(app, 'Passwords');
const code = new Asset(stack, 'Code', { path: 'functions.zip' });
new CfnInclude(stack, 'Service', {
  templateFile: 'password-service.template.json',
  parameters: {
    CodeBucket: code.s3BucketName,
    CodeKey: code.s3ObjectKey,
    UserPoolId: app.node.getContext('userPoolId'),
    UserPoolClientId: app.node.getContext('userPoolClientId'),
    AllowedOrigins: 'https://app.example.com',
  },
});
