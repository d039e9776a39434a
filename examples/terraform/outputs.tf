output "url" {
  description = "URL of the allocator, for target_allocator.endpoint of the collectors."
  value       = aws_cloudformation_stack.this.outputs["Url"]
}

output "role_arn" {
  description = "Role of the function, for access entries in other clusters."
  value       = aws_cloudformation_stack.this.outputs["RoleArn"]
}

output "function_name" {
  description = "Name of the function."
  value       = aws_cloudformation_stack.this.outputs["FunctionName"]
}

output "collector_config" {
  description = "Settings for the collectors."
  value       = aws_cloudformation_stack.this.outputs["CollectorConfig"]
}
