//! Amazon SNS and CloudWatch, Datadog, CloudEvents.

use super::{JSON, Sample, digested, expected, json};
use crate::Format::{Alertmanager, Cloudevents, Cloudwatch, Datadog};
use crate::Severity::{Critical, High, Low, Medium};
use crate::Signal::{Firing, NoData, Resolved};

const TEXT: Option<&str> = Some("text/plain; charset=UTF-8");

pub(super) const SAMPLES: &[Sample] = &[
    Sample {
        content_type: TEXT,
        headers: &[("x-amz-sns-message-type", "Notification")],
        ..json(
            "sns: an alarm",
            Cloudwatch,
            r#"{"Type":"Notification","MessageId":"165545c9-2a5c-472c-8df2-7ff2be2b3b1b","TopicArn":"arn:aws:sns:eu-west-1:111122223333:alarms",
  "Subject":"ALARM: \"queue-depth\" in EU (Ireland)","Message":"{\"AlarmName\":\"queue-depth\",\"AlarmDescription\":\"Orders wait. severity: high\",\"AWSAccountId\":\"111122223333\",\"NewStateValue\":\"ALARM\",\"OldStateValue\":\"OK\",\"NewStateReason\":\"Threshold Crossed: 1 datapoint [9007199254740993.0] was greater than 100.\",\"StateChangeTime\":\"2026-03-01T11:59:01.000+0000\",\"Region\":\"EU (Ireland)\",\"AlarmArn\":\"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:queue-depth\",\"Trigger\":{\"MetricName\":\"Depth\",\"Namespace\":\"AWS/SQS\",\"StatisticType\":\"Statistic\",\"Statistic\":\"AVERAGE\",\"Unit\":null,\"Dimensions\":[{\"value\":\"orders\",\"name\":\"QueueName\"}],\"Period\":60,\"EvaluationPeriods\":1,\"ComparisonOperator\":\"GreaterThanThreshold\",\"Threshold\":9007199254740993,\"TreatMissingData\":\"missing\"}}",
  "Timestamp":"2026-03-01T11:59:02.345Z","SignatureVersion":"2","Signature":"c2lnbmF0dXJl","SigningCertURL":"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-abc.pem",
  "UnsubscribeURL":"https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=x"}"#,
            &[expected(
                Firing,
                High,
                "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:queue-depth",
                "queue-depth",
            )],
        )
    },
    Sample {
        content_type: TEXT,
        ..json(
            "sns: an alarm without its ARN, by Lambda's spelling",
            Cloudwatch,
            r#"{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","EventSubscriptionArn":"arn:x","Sns":{"Type":"Notification","MessageId":"m-2","TopicArn":"arn:aws:sns:us-east-1:1:t","Subject":null,
  "Message":"{\"AlarmName\":\"api\",\"AWSAccountId\":\"1\",\"NewStateValue\":\"INSUFFICIENT_DATA\",\"Region\":\"US East\",\"StateChangeTime\":\"2026-03-01T11:00:00.000+0000\"}",
  "Timestamp":"2026-03-01T11:00:00Z","SignatureVersion":"1","Signature":"x","SigningCertUrl":"https://sns.us-east-1.amazonaws.com/a.pem"}},
  {"EventSource":"aws:sns","Sns":{"Type":"Notification","MessageId":"m-3","TopicArn":"arn:aws:sns:us-east-1:1:t","Subject":"Backup failed","Message":"The backup of db-1 failed.","Timestamp":"2026-03-01T11:00:00Z"}}]}"#,
            &[
                digested(NoData, Medium, "api"),
                digested(Firing, Medium, "Backup failed"),
            ],
        )
    },
    Sample {
        content_type: TEXT,
        headers: &[("x-amz-sns-message-type", "SubscriptionConfirmation")],
        is_subscription: true,
        ..json(
            "sns: the handshake",
            Cloudwatch,
            r#"{"Type":"SubscriptionConfirmation","MessageId":"m-1","Token":"2336412f37","TopicArn":"arn:aws:sns:eu-west-1:111122223333:alarms",
  "Message":"You have chosen to subscribe.","SubscribeURL":"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-west-1:111122223333:alarms&Token=2336412f37",
  "Timestamp":"2026-03-01T11:59:02.345Z","SignatureVersion":"1","Signature":"x","SigningCertURL":"https://sns.eu-west-1.amazonaws.com/a.pem"}"#,
            &[],
        )
    },
    Sample {
        content_type: TEXT,
        ..json(
            "sns: alertmanager's own receiver with a webhook's body",
            Alertmanager,
            r#"{"Type":"Notification","MessageId":"m-4","TopicArn":"arn:aws:sns:us-east-1:1:t","Message":"{\"receiver\":\"r\",\"status\":\"firing\",\"groupLabels\":{},\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"A\"},\"fingerprint\":\"0000000000000001\",\"startsAt\":\"2026-03-01T11:00:00Z\"}]}","Timestamp":"2026-03-01T11:00:00Z"}"#,
            &[expected(Firing, Medium, "0000000000000001", "A")],
        )
    },
    json(
        "cloudwatch: a composite alarm without its envelope",
        Cloudwatch,
        r#"{"AlarmName":"[P1] shop","AlarmDescription":null,"AWSAccountId":"1","NewStateValue":"OK","AlarmRule":"ALARM(\"a\") OR ALARM(\"b\")",
  "NewStateReason":"a is OK","StateChangeTime":"2026-03-01T11:00:00.000+0000","Region":"eu-west-1","AlarmArn":"arn:aws:cloudwatch:eu-west-1:1:alarm:shop"}"#,
        &[expected(
            Resolved,
            Critical,
            "arn:aws:cloudwatch:eu-west-1:1:alarm:shop",
            "[P1] shop",
        )],
    ),
    json(
        "cloudwatch: an alarm that EventBridge passes on",
        Cloudwatch,
        r#"{"version":"0","id":"e-1","detail-type":"CloudWatch Alarm State Change","source":"aws.cloudwatch","account":"1","time":"2026-03-01T11:00:00Z","region":"eu-west-1",
  "resources":["arn:aws:cloudwatch:eu-west-1:1:alarm:latency"],"detail":{"alarmName":"latency","state":{"value":"ALARM","reason":"Slow.","timestamp":"2026-03-01T11:00:00.000+0000"},
  "configuration":{"description":"Requests are slow","metrics":[{"id":"m","metricStat":{"metric":{"namespace":"AWS/ELB","name":"Latency","dimensions":{"LoadBalancer":"lb"}},"period":60}}]}}}"#,
        &[expected(
            Firing,
            Medium,
            "arn:aws:cloudwatch:eu-west-1:1:alarm:latency",
            "latency",
        )],
    ),
    json(
        "datadog: our template, filled in",
        Datadog,
        r#"{"id":"5001","title":"[Triggered on {host:web-1}] CPU is high","text_only_msg":"CPU is high on web-1","event_type":"metric_alert_monitor","date":"1772366100000","last_updated":"1772366100000",
  "org_id":"11","org_name":"Shop","alert_id":"1234","alert_cycle_key":"9bd4ac313a4d1e8f","aggreg_key":"aa","alert_transition":"Triggered","alert_type":"error","alert_priority":"P2",
  "alert_status":"system.cpu over host:web-1 was > 90","alert_query":"avg(last_5m):avg:system.cpu{*} > 90","alert_scope":"host:web-1","alert_metric":"system.cpu","hostname":"web-1",
  "tags":"env:prod,service:web,monitor","link":"https://app.datadoghq.com/event/event?id=5001"}"#,
        &[expected(
            Firing,
            High,
            "9bd4ac313a4d1e8f",
            "[Triggered on {host:web-1}] CPU is high",
        )],
    ),
    json(
        "datadog: the template that Datadog presumes",
        Datadog,
        r#"{"body":"%%% disk is full %%%","last_updated":1772366100000,"event_type":"metric_alert_monitor","title":"[Recovered] Disk is full","date":1772366100000,"org":{"id":"11","name":"Shop"},"id":"5002"}"#,
        &[digested(Resolved, Medium, "[Recovered] Disk is full")],
    ),
    json(
        "datadog: a test with nothing filled in",
        Datadog,
        r#"{"id":"$ID","title":"$EVENT_TITLE","alert_cycle_key":"$ALERT_CYCLE_KEY","aggreg_key":"$AGGREG_KEY","alert_id":"1234","alert_scope":"$ALERT_SCOPE","alert_transition":"$ALERT_TRANSITION","alert_priority":"$ALERT_PRIORITY","tags":"$TAGS","date":"$DATE","event_type":"query_alert_monitor"}"#,
        &[expected(Firing, Medium, "1234:", "query_alert_monitor")],
    ),
    Sample {
        content_type: Some("application/cloudevents+json"),
        ..json(
            "cloudevents: one event",
            Cloudevents,
            r#"{"specversion":"1.0","id":"A-1","source":"/shop/payments","type":"com.example.payment.failed","subject":"order-7","time":"2026-03-01T11:00:00Z","dataschema":null,
  "datacontenttype":"application/json","data":{"title":"Payments fail","severity":"fatal","amount":1.10}}"#,
            &[digested(Firing, Critical, "Payments fail")],
        )
    },
    Sample {
        content_type: Some("application/cloudevents-batch+json"),
        ..json(
            "cloudevents: a batch with a group of Alertmanager in it, and one that is none",
            Cloudevents,
            r#"[{"specversion":"1.0","id":"A-2","source":"/s","type":"t.started","data_base64":"AAEC"},{"specversion":"1.0","id":"A-3","source":"/s"},
  {"specversion":"1.0","id":"A-4","source":"/s","type":"am","data":{"groupKey":"k","alerts":[{"labels":{"alertname":"B","severity":"info"},"fingerprint":"00000000000000b0","status":"resolved"}]}}]"#,
            &[
                digested(Firing, Medium, "t.started"),
                expected(Resolved, Low, "00000000000000b0", "B"),
            ],
        )
    },
    Sample {
        content_type: JSON,
        headers: &[
            ("ce-specversion", "1.0"),
            ("ce-id", "A-5"),
            ("ce-source", "/s"),
            ("ce-type", "disk.full"),
            ("ce-subject", "Stra%C3%9Fe"),
        ],
        ..json(
            "cloudevents: attributes in headers",
            Cloudevents,
            r#"{"dedup_key":"disk-9"}"#,
            &[expected(Firing, Medium, "disk-9", "disk.full Straße")],
        )
    },
];
