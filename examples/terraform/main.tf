# The password service, deployed by Terraform or OpenTofu.
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

variable "bucket" {
  type        = string
  description = "A bucket of yours in the region of the pool."
}

variable "user_pool_id" {
  type = string
}

variable "user_pool_client_id" {
  type = string
}

data "aws_s3_bucket" "release" {
  bucket = var.bucket
}

resource "aws_s3_object" "release" {
  for_each = toset(["functions.zip", "password-service.template.json"])

  bucket = var.bucket
  source = "${path.module}/${each.key}"
  # Other content gets another key, so that CloudFormation sees that it changed.
  key = "password-service/${filesha256("${path.module}/${each.key}")}/${each.key}"
}

resource "aws_cloudformation_stack" "passwords" {
  name         = "password-service"
  template_url = "https://${data.aws_s3_bucket.release.bucket_regional_domain_name}/${aws_s3_object.release["password-service.template.json"].key}"
  capabilities = ["CAPABILITY_IAM"]

  parameters = {
    CodeBucket       = var.bucket
    CodeKey          = aws_s3_object.release["functions.zip"].key
    UserPoolId       = var.user_pool_id
    UserPoolClientId = var.user_pool_client_id
    AllowedOrigins   = "https://app.example.com"
  }
}

output "api_url" {
  value = aws_cloudformation_stack.passwords.outputs["ApiUrl"]
}
