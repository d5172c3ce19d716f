output "project_id" {
  description = "The Google Cloud project, for commercetools' Subscription."
  value       = module.klaviyo_sync.project_id
}

output "events_topic" {
  description = "The topic, for commercetools' Subscription."
  value       = module.klaviyo_sync.events_topic
}

output "import_api_url" {
  description = "The import API."
  value       = module.klaviyo_sync.import_api_url
}

output "firestore_database" {
  description = "The database with the state of imports."
  value       = module.klaviyo_sync.firestore_database
}

output "secret_names" {
  description = "The secrets in Secret Manager."
  value       = module.klaviyo_sync.secret_names
}
