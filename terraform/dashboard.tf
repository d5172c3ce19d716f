# One page with what happens: notifications, imports, queues, and what went wrong.

locals {
  services_filter = "resource.type=\"cloud_run_revision\" resource.labels.service_name=one_of(${join(",", [for name in values(local.function_names) : "\"${name}\""])})"
  pushes_filter   = "resource.type=\"pubsub_subscription\" resource.labels.subscription_id=one_of(${join(",", [for name in values(local.push_subscriptions) : "\"${name}\""])})"
  holding_filter  = "resource.type=\"pubsub_subscription\" resource.labels.subscription_id=one_of(${join(",", [for name in values(local.holding) : "\"${name}\""])})"

  charts = [
    {
      title   = "Notifications, by outcome"
      filter  = "metric.type=\"logging.googleapis.com/user/${local.metric_names["notifications"]}\" ${local.services_filter}"
      aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = ["metric.label.outcome"]
    },
    {
      title   = "Batches of imports, by kind"
      filter  = "metric.type=\"logging.googleapis.com/user/${local.metric_names["batches"]}\" ${local.services_filter}"
      aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = ["metric.label.kind"]
    },
    {
      title   = "Age of the oldest message (s)"
      filter  = "metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" ${local.pushes_filter}"
      aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = ["resource.label.subscription_id"]
    },
    {
      title   = "Messages waiting"
      filter  = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" ${local.pushes_filter}"
      aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = ["resource.label.subscription_id"]
    },
    {
      title   = "Dead letters, by reason"
      filter  = "metric.type=\"logging.googleapis.com/user/${local.metric_names["dead_letters"]}\" ${local.services_filter}"
      aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["metric.label.reason"]
    },
    {
      title   = "Messages that were given up"
      filter  = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" ${local.holding_filter}"
      aligner = "ALIGN_MAX", reducer = "REDUCE_MAX", by = ["resource.label.subscription_id"]
    },
    {
      title   = "429s of Klaviyo, by endpoint"
      filter  = "metric.type=\"logging.googleapis.com/user/${local.metric_names["rate_limited"]}\" ${local.services_filter}"
      aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = ["metric.label.endpoint"]
    },
    {
      title   = "Credentials refused, runs halted"
      filter  = "metric.type=\"logging.googleapis.com/user/${local.metric_names["person_needed"]}\" ${local.services_filter}"
      aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", by = ["resource.label.service_name"]
    },
    {
      title   = "Answers, by function and status"
      filter  = "metric.type=\"run.googleapis.com/request_count\" ${local.services_filter}"
      aligner = "ALIGN_RATE", reducer = "REDUCE_SUM", by = ["resource.label.service_name", "metric.label.response_code_class"]
    },
    {
      title   = "Time to answer, 95th percentile (ms)"
      filter  = "metric.type=\"run.googleapis.com/request_latencies\" ${local.services_filter}"
      aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_95", by = ["resource.label.service_name"]
    },
    {
      title   = "Instances"
      filter  = "metric.type=\"run.googleapis.com/container/instance_count\" ${local.services_filter}"
      aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", by = ["resource.label.service_name"]
    },
    {
      title   = "Memory, 99th percentile (share)"
      filter  = "metric.type=\"run.googleapis.com/container/memory/utilizations\" ${local.services_filter}"
      aligner = "ALIGN_DELTA", reducer = "REDUCE_PERCENTILE_99", by = ["resource.label.service_name"]
    },
  ]

  chart_width  = 6
  chart_height = 4
}

resource "google_monitoring_dashboard" "overview" {
  project = var.project_id

  dashboard_json = jsonencode({
    displayName = "${var.name_prefix}: commercetools to Klaviyo"
    mosaicLayout = {
      columns = 2 * local.chart_width
      tiles = concat(
        [for index, chart in local.charts : merge(
          {
            width  = local.chart_width
            height = local.chart_height
            widget = {
              title = chart.title
              xyChart = {
                dataSets = [{
                  plotType   = "LINE"
                  targetAxis = "Y1"
                  timeSeriesQuery = {
                    timeSeriesFilter = {
                      filter = chart.filter
                      aggregation = {
                        alignmentPeriod    = "60s"
                        perSeriesAligner   = chart.aligner
                        crossSeriesReducer = chart.reducer
                        groupByFields      = chart.by
                      }
                    }
                  }
                }]
              }
            }
          },
          # Google leaves a 0 out of its answer, which every later plan would take for a change. The last tile has no xPos for that.
          { for axis, place in { xPos = local.chart_width * (index % 2), yPos = local.chart_height * floor(index / 2) } : axis => place if place > 0 },
        )],
        [{
          yPos   = local.chart_height * ceil(length(local.charts) / 2)
          width  = 2 * local.chart_width
          height = local.chart_height
          widget = {
            title     = "Warnings and errors"
            logsPanel = { filter = "${local.function_logs} AND severity>=WARNING", resourceNames = ["projects/${var.project_id}"] }
          }
        }],
      )
    }
  })

  depends_on = [google_logging_metric.lines]
}
