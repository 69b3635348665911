//! Every rpc a real Dapr has: those of other building blocks are answered at
//! once, and never taken for calls to pass on.

use tests::{GrpcApp, GrpcRequest, sidecar};

use super::rpc;
use crate::grpc::NONE;
use crate::table::Table;

type Answer = (u32, &'static str, Option<&'static str>);

const STATE: Answer = (
    9,
    "state store  is not configured",
    Some("DAPR_STATE_NOT_CONFIGURED"),
);
const PUBSUB: Answer = (3, "pubsub  is not found", Some("DAPR_PUBSUB_NOT_FOUND"));
const BINDING: Answer = (
    13,
    "error invoking output binding : couldn't find output binding ",
    Some("ERR_INVOKE_OUTPUT_BINDING"),
);
const SECRET: Answer = (9, "secret store is not configured", None);
const CONFIGURATION: Answer = (
    9,
    "configuration stores not configured",
    Some("ERR_CONFIGURATION_STORE_NOT_CONFIGURED"),
);
const LOCK: Answer = (9, "lock store is not configured", None);
const CRYPTO: Answer = (13, "crypto providers not configured", None);
const CONVERSATION: Answer = (3, "failed finding conversation component ", None);
const MISSING: Answer = (12, "this API is currently not implemented", None);

const RPCS: [(&str, Answer); 68] = [
    ("GetState", STATE),
    ("GetBulkState", STATE),
    ("SaveState", STATE),
    ("DeleteState", STATE),
    ("DeleteBulkState", STATE),
    ("ExecuteStateTransaction", STATE),
    ("QueryStateAlpha1", STATE),
    ("PublishEvent", PUBSUB),
    ("BulkPublishEvent", PUBSUB),
    ("BulkPublishEventAlpha1", PUBSUB),
    ("SubscribeTopicEventsAlpha1", MISSING),
    ("InvokeBinding", BINDING),
    ("GetSecret", SECRET),
    ("GetBulkSecret", SECRET),
    ("RegisterActorTimer", MISSING),
    ("UnregisterActorTimer", MISSING),
    ("RegisterActorReminder", MISSING),
    ("UnregisterActorReminder", MISSING),
    ("UnregisterActorRemindersByType", MISSING),
    ("ListActorReminders", MISSING),
    ("GetActorState", MISSING),
    ("GetActorReminder", MISSING),
    ("ExecuteActorStateTransaction", MISSING),
    ("InvokeActor", MISSING),
    ("SubscribeActorEventsAlpha1", MISSING),
    ("GetConfigurationAlpha1", CONFIGURATION),
    ("UnsubscribeConfigurationAlpha1", CONFIGURATION),
    ("SubscribeConfigurationAlpha1", CONFIGURATION),
    ("GetConfiguration", CONFIGURATION),
    ("UnsubscribeConfiguration", CONFIGURATION),
    ("SubscribeConfiguration", CONFIGURATION),
    ("TryLockAlpha1", LOCK),
    ("UnlockAlpha1", LOCK),
    ("EncryptAlpha1", CRYPTO),
    ("DecryptAlpha1", CRYPTO),
    ("SubtleGetKeyAlpha1", MISSING),
    ("SubtleEncryptAlpha1", MISSING),
    ("SubtleDecryptAlpha1", MISSING),
    ("SubtleWrapKeyAlpha1", MISSING),
    ("SubtleUnwrapKeyAlpha1", MISSING),
    ("SubtleSignAlpha1", MISSING),
    ("SubtleVerifyAlpha1", MISSING),
    ("StartWorkflowAlpha1", MISSING),
    ("GetWorkflowAlpha1", MISSING),
    ("PurgeWorkflowAlpha1", MISSING),
    ("TerminateWorkflowAlpha1", MISSING),
    ("PauseWorkflowAlpha1", MISSING),
    ("ResumeWorkflowAlpha1", MISSING),
    ("RaiseEventWorkflowAlpha1", MISSING),
    ("StartWorkflowBeta1", MISSING),
    ("GetWorkflowBeta1", MISSING),
    ("PurgeWorkflowBeta1", MISSING),
    ("TerminateWorkflowBeta1", MISSING),
    ("PauseWorkflowBeta1", MISSING),
    ("ResumeWorkflowBeta1", MISSING),
    ("RaiseEventWorkflowBeta1", MISSING),
    ("ScheduleJob", MISSING),
    ("GetJob", MISSING),
    ("DeleteJob", MISSING),
    ("DeleteJobsByPrefix", MISSING),
    ("ListJobs", MISSING),
    ("ScheduleJobAlpha1", MISSING),
    ("GetJobAlpha1", MISSING),
    ("DeleteJobAlpha1", MISSING),
    ("DeleteJobsByPrefixAlpha1", MISSING),
    ("ListJobsAlpha1", MISSING),
    ("ConverseAlpha1", CONVERSATION),
    ("ConverseAlpha2", CONVERSATION),
];

#[test]
fn rpcs_of_other_blocks_are_answered_at_once() {
    let app = GrpcApp::kinds();
    let sidecar = sidecar("lean").grpc_app(&app).run();
    let client = crate::grpc::connect(&sidecar);
    let mut table = Table::default();
    let hub = ["GetInstance", "StartInstance", "GetWorkItems", "Hello"]
        .map(|name| GrpcRequest::new(&format!("/TaskHubSidecarService/{name}")));
    let hub = hub.iter().map(|request| (request.clone(), MISSING));
    let rpcs = RPCS.iter().map(|(name, answer)| (rpc(name), *answer));
    for (request, (code, message, reason)) in rpcs.chain(hub) {
        for request in [request.clone(), request.to("lean")] {
            table.row(&format!("{request:?}"), || {
                let answer = client.call(&request, &[""]).unwrap();
                answer.expect(code, message);
                assert_eq!(answer.messages, []);
                if let Some(reason) = reason {
                    let info = answer.end().error_info();
                    assert_eq!(
                        (info.reason.as_str(), info.domain.as_str()),
                        (reason, "dapr.io")
                    );
                }
            });
        }
    }
    assert_eq!(app.take().len(), 0, "the app saw one");
}

/// A stream is refused before its first message, and while it is open.
#[test]
fn streams_are_refused_without_a_message() {
    let sidecar = sidecar("lean").run();
    let client = crate::grpc::connect(&sidecar);
    let mut table = Table::default();
    for (name, code) in [("SubscribeTopicEventsAlpha1", 12), ("EncryptAlpha1", 13)] {
        table.row(name, || {
            let stream = client.open(&rpc(name)).unwrap();
            assert_eq!(stream.answer().unwrap().code(), code);
            let answer = client.call(&rpc(name), NONE).unwrap();
            assert_eq!(answer.code(), code);
        });
    }
}
