# When somebody should look. Each alert says what to do.

locals {
  # One line is one too many. These look at the log itself: at once, and without waiting for a metric to be known.
  line_alerts = {
    dead_letters = {
      filter   = local.filters.dead_letter
      title    = "dead letters"
      severity = "WARNING"
      advice   = <<-EOT
        A notification, or a message of an import, was set aside because it can never be handled as it is. Nothing waits for it.
        Look with `ct-klaviyo dead-letters list` and `ct-klaviyo dead-letters show`, mend the cause, then
        `ct-klaviyo dead-letters replay`.
      EOT
    }
    person_needed = {
      filter   = local.filters.person_needed
      title    = "credentials refused, or a run halted"
      severity = "CRITICAL"
      advice   = <<-EOT
        commercetools or Klaviyo refuses the credentials, a scope or a query; the log line says which. Notifications are
        delivered again until it is mended, for some hours. Put a valid key into Secret Manager, then raise `secrets_version` and
        apply: an instance reads its secrets only when it starts. Then `ct-klaviyo resume RUN_ID` for a run that has halted. A
        task that was refused came from somebody else, or the push subscription has another account or audience than the
        function: apply again.
      EOT
    }
    unusable_settings = {
      filter   = local.filters.unusable_settings
      title    = "a function cannot start"
      severity = "CRITICAL"
      advice   = "The settings cannot be used; the log line lists every problem. Correct the variables, or the secrets, and apply again."
    }
  }

  # How metrics are called in PromQL: letters, digits and _ only.
  counted = { for name, metric in local.metric_names : name => "logging_googleapis_com:${replace("user/${metric}", "/[^A-Za-z0-9_]/", "_")}{monitored_resource=\"cloud_run_revision\"}" }

  waiting_work = "pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource=\"pubsub_subscription\",subscription_id=~\"${join("|", concat([local.push_subscriptions["plan"], local.push_subscriptions["work"]], values(local.dead_push)))}\"}"

  # Over counts of lines that come and go: a metric that has never counted anything yet is no fault.
  query_alerts = {
    run_stalled = {
      title    = "an import does not get on"
      severity = "ERROR"
      duration = "1800s"
      query    = "(sum(${local.waiting_work}) > 0) unless (sum(increase(${local.counted["batches"]}[10m])) > 0)"
      advice   = <<-EOT
        Messages of an import have been waiting for half an hour, in which no batch was done. Look at `ct-klaviyo status` and at the log of
        the worker and of the dispatcher: a host that does not answer, a function that dies (memory), or jobs of Klaviyo that do
        not end. Nothing is lost: the import goes on by itself when the cause is gone, or is stopped with `ct-klaviyo stop KIND`.
      EOT
    }
    rate_limited = {
      title    = "Klaviyo answers 429 too often"
      severity = "WARNING"
      duration = "300s"
      query = join(" ", [
        "(sum(increase(${local.counted["rate_limited"]}[15m])) > 10) and",
        "(sum(increase(${local.counted["rate_limited"]}[15m])) / clamp_min(",
        "(sum(increase(${local.counted["notifications"]}[15m])) or vector(0)) + (sum(increase(${local.counted["batches"]}[15m])) or vector(0)), 1)",
        "> ${var.rate_limited_share})",
      ])
      advice = <<-EOT
        There are more 429s for each notification or batch than `rate_limited_share`. They are waited out, but cost time. Somebody
        else may be using the account's quota: another integration, another installation of this one, or both an import and
        realtime, each of which may use the limits fully. More `max_instances` give each instance a smaller share.
      EOT
    }
  }
}

resource "google_monitoring_alert_policy" "line" {
  for_each = local.line_alerts

  project               = var.project_id
  display_name          = "${var.name_prefix}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = var.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = each.value.title

    condition_matched_log {
      filter = each.value.filter
    }
  }

  alert_strategy {
    auto_close = "86400s"

    notification_rate_limit {
      period = "3600s"
    }
  }

  documentation {
    content   = trimspace(each.value.advice)
    mime_type = "text/markdown"
  }

  depends_on = [google_project_service.api]
}

resource "google_monitoring_alert_policy" "query" {
  for_each = local.query_alerts

  project               = var.project_id
  display_name          = "${var.name_prefix}: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = var.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = each.value.title

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = each.value.duration
      evaluation_interval = "60s"
      # A metric that has just been made is not known at once, and the first apply would fail for it.
      disable_metric_validation = true
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    content   = trimspace(each.value.advice)
    mime_type = "text/markdown"
  }

  depends_on = [google_logging_metric.lines]
}

resource "google_monitoring_alert_policy" "held_messages" {
  project               = var.project_id
  display_name          = "${var.name_prefix}: messages were given up"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = var.notification_channels
  user_labels           = var.labels

  dynamic "conditions" {
    for_each = google_pubsub_subscription.holding
    content {
      display_name = "messages in ${conditions.value.name}"

      condition_threshold {
        filter          = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${conditions.value.name}\" AND metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\""
        comparison      = "COMPARISON_GT"
        threshold_value = 0
        duration        = "0s"

        aggregations {
          alignment_period   = "300s"
          per_series_aligner = "ALIGN_MAX"
        }
      }
    }
  }

  alert_strategy {
    auto_close = "604800s"
  }

  documentation {
    content   = <<-EOT
      After 100 deliveries Pub/Sub has given up a message. It is held for a week. Of `${local.holding["events"]}`, look with
      `ct-klaviyo dead-letters list`, and send again with `ct-klaviyo dead-letters replay` once the cause is gone. Of
      `${local.holding["work"]}`: a host was down for long, or the worker was full. The batch was queued anew, or counted as
      failed if its attempts were used up: see `ct-klaviyo status`. Of `${local.holding["plan"]}`: a host was down for hours; planning
      goes on by itself when it is back. What is held of these two is a copy, which `ct-klaviyo dead-letters drop` clears.
    EOT
    mime_type = "text/markdown"
  }
}

resource "google_monitoring_alert_policy" "old_messages" {
  project               = var.project_id
  display_name          = "${var.name_prefix}: messages wait for long"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels
  user_labels           = var.labels

  dynamic "conditions" {
    for_each = merge(google_pubsub_subscription.push, { for stream, subscription in google_pubsub_subscription.dead_push : "dead_${stream}" => subscription })
    content {
      display_name = "oldest message of ${conditions.value.name}"

      condition_threshold {
        filter          = "resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id=\"${conditions.value.name}\" AND metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
        comparison      = "COMPARISON_GT"
        threshold_value = var.oldest_message_s[trimprefix(conditions.key, "dead_")]
        duration        = "300s"

        aggregations {
          alignment_period   = "60s"
          per_series_aligner = "ALIGN_MAX"
        }
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    content   = <<-EOT
      A message is delivered again and again, or waits for its turn. Look at the function's log for what it is put back for. An
      outage of commercetools or Klaviyo ends by itself; a large import may take hours (`ct-klaviyo status` has its progress).
    EOT
    mime_type = "text/markdown"
  }
}
