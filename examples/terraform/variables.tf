# The files of a release, and where they go.

variable "template" {
  description = "Path of target-allocator.yaml of the release."
  type        = string
}

variable "zip" {
  description = "Path of target-allocator-arm64.zip or target-allocator-x86_64.zip of the release."
  type        = string
}

variable "architecture" {
  description = "Architecture of the zip: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "bucket" {
  description = "S3 bucket in the region of the stack. The zip and the template are copied there."
  type        = string
}

# The allocator.

variable "stack_name" {
  description = "Name of the stack."
  type        = string
  default     = "target-allocator"
}

variable "cluster_name" {
  description = "Name of the EKS cluster, in the account and the region of the provider."
  type        = string
}

variable "allocator_config" {
  description = "The targetallocator.yaml as an object. It must fit into 4096 bytes of JSON."
  type        = any

  validation {
    condition     = length(jsonencode(var.allocator_config)) <= 4096
    error_message = "A parameter of CloudFormation has at most 4096 characters: use ConfigLayerArn and AllocatorConfigFile in `parameters`."
  }
}

variable "collector_namespace" {
  description = "Namespace of the collector pods."
  type        = string
  default     = "monitoring"
}

variable "audience" {
  description = "Audience of the tokens that the collectors send."
  type        = string
  default     = "target-allocator"
}

variable "inline_secrets" {
  description = "Whether collectors get the credentials of their targets."
  type        = bool
  default     = false
}

variable "private_cluster" {
  description = "Subnets and security groups of the function, if the endpoint of the cluster is private."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "alarm_topic_arn" {
  description = "SNS topic that the alarms notify. Empty: the alarms appear only in CloudWatch."
  type        = string
  default     = ""
}

variable "parameters" {
  description = "More parameters of the template, such as { SnapshotTtl = \"30\" }. They win over the ones above."
  type        = map(string)
  default     = {}
}
