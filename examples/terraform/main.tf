# Deploys the released template by Terraform. CloudFormation makes the resources, so
# both ways of deployment give the same stack.
#
# The rights in the cluster are not part of the stack: kubectl apply -f examples/rbac.yaml

data "aws_region" "current" {}

data "aws_eks_cluster" "this" {
  name = var.cluster_name
}

# The names contain hashes: a new file gets a new key, and the stack notices it.
resource "aws_s3_object" "zip" {
  bucket = var.bucket
  key    = "target-allocator/${filesha256(var.zip)}.zip"
  source = var.zip
}

# CloudFormation takes a template of more than 51,200 bytes only from a bucket.
resource "aws_s3_object" "template" {
  bucket = var.bucket
  key    = "target-allocator/${filesha256(var.template)}.yaml"
  source = var.template
}

resource "aws_cloudformation_stack" "this" {
  name         = var.stack_name
  template_url = "https://${var.bucket}.s3.${data.aws_region.current.name}.amazonaws.com/${aws_s3_object.template.key}"

  # The stack has a role, and the template is a SAM template that CloudFormation expands.
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]

  parameters = merge(
    {
      CodeBucket       = var.bucket
      CodeKey          = aws_s3_object.zip.key
      Architecture     = var.architecture
      Cluster          = "eks:${var.cluster_name}"
      EksClusterName   = var.cluster_name
      JwtIssuer        = data.aws_eks_cluster.this.identity[0].oidc[0].issuer
      JwtAudience      = var.audience
      OtelcolNamespace = var.collector_namespace
      AllocatorConfig  = jsonencode(var.allocator_config)
      Secrets          = var.inline_secrets ? "inline" : "omit"
      AlarmTopicArn    = var.alarm_topic_arn
    },
    var.private_cluster == null ? {} : {
      SubnetIds        = join(",", var.private_cluster.subnet_ids)
      SecurityGroupIds = join(",", var.private_cluster.security_group_ids)
    },
    var.parameters,
  )
}
