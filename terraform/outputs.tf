output "project_id" {
  description = "The Google Cloud project; commercetools' Subscription names it with the topic."
  value       = var.project_id
}

output "events_topic" {
  description = "The topic that commercetools publishes notifications to."
  value       = google_pubsub_topic.stream["events"].name
}

output "import_api_url" {
  description = "The import API: what `ct-klaviyo` is given as --url."
  value       = local.function_urls.dispatcher
}

output "function_names" {
  description = "The names of the functions, by what they are."
  value       = { for key, function in google_cloudfunctions2_function.function : key => function.name }
}

output "function_urls" {
  description = "Where the functions answer."
  value       = local.function_urls
}

output "service_accounts" {
  description = "The e-mail addresses of the service accounts, by what they are for."
  value       = { for key, account in google_service_account.account : key => account.email }
}

output "secret_names" {
  description = "The secrets in Secret Manager, by the environment variable that they become."
  value       = { for variable, secret in google_secret_manager_secret.secret : variable => secret.secret_id }
}

output "holding_subscriptions" {
  description = "Where messages are kept that could not be handled, by stream."
  value       = { for stream, subscription in google_pubsub_subscription.holding : stream => subscription.name }
}

output "firestore_database" {
  description = "The database with the state of imports."
  value       = google_firestore_database.state.name
}

output "dashboard_id" {
  description = "The dashboard in Cloud Monitoring."
  value       = google_monitoring_dashboard.overview.id
}
