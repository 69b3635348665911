//! Rpcs of building blocks this product does not have. They are answered at
//! once, by name alone, instead of being taken for calls to pass on.

use std::sync::Once;

use api::{
    errors::API_UNIMPLEMENTED_MESSAGE,
    grpc::{Code, Status},
};
use tracing::warn;

/// An answer: code, message, and the reason of the error detail if it has
/// one.
type Answer = (Code, &'static str, Option<&'static str>);

/// What Dapr answers without a component, where that needs nothing of the
/// request: names in messages are empty.
///
/// Mirrors Dapr 1.18 `pkg/api/errors` and `pkg/messages/predefined.go`.
const STATE: Answer = (
    Code::FailedPrecondition,
    "state store  is not configured",
    Some("DAPR_STATE_NOT_CONFIGURED"),
);
const PUBSUB: Answer = (
    Code::InvalidArgument,
    "pubsub  is not found",
    Some("DAPR_PUBSUB_NOT_FOUND"),
);
const BINDING: Answer = (
    Code::Internal,
    "error invoking output binding : couldn't find output binding ",
    Some("ERR_INVOKE_OUTPUT_BINDING"),
);
const SECRET: Answer = (
    Code::FailedPrecondition,
    "secret store is not configured",
    None,
);
const CONFIGURATION: Answer = (
    Code::FailedPrecondition,
    "configuration stores not configured",
    Some("ERR_CONFIGURATION_STORE_NOT_CONFIGURED"),
);
const LOCK: Answer = (
    Code::FailedPrecondition,
    "lock store is not configured",
    None,
);
const CRYPTO: Answer = (Code::Internal, "crypto providers not configured", None);
const CONVERSATION: Answer = (
    Code::InvalidArgument,
    "failed finding conversation component ",
    None,
);
const UNIMPLEMENTED: Answer = (Code::Unimplemented, API_UNIMPLEMENTED_MESSAGE, None);

/// Groups of rpcs of the service `Dapr`, apart from those that are served.
///
/// Mirrors Dapr 1.18 `pkg/api/grpc/endpoints.go`.
const RPCS: &[(Answer, &[&str])] = &[
    (
        STATE,
        &[
            "GetState",
            "GetBulkState",
            "SaveState",
            "DeleteState",
            "DeleteBulkState",
            "ExecuteStateTransaction",
            "QueryStateAlpha1",
        ],
    ),
    (
        PUBSUB,
        &["PublishEvent", "BulkPublishEvent", "BulkPublishEventAlpha1"],
    ),
    (BINDING, &["InvokeBinding"]),
    (SECRET, &["GetSecret", "GetBulkSecret"]),
    (
        CONFIGURATION,
        &[
            "GetConfiguration",
            "GetConfigurationAlpha1",
            "SubscribeConfiguration",
            "SubscribeConfigurationAlpha1",
            "UnsubscribeConfiguration",
            "UnsubscribeConfigurationAlpha1",
        ],
    ),
    (LOCK, &["TryLockAlpha1", "UnlockAlpha1"]),
    (CRYPTO, &["EncryptAlpha1", "DecryptAlpha1"]),
    (CONVERSATION, &["ConverseAlpha1", "ConverseAlpha2"]),
    // Differs from Dapr: these say unavailable, or wait for a scheduler.
    (
        UNIMPLEMENTED,
        &[
            "SubscribeTopicEventsAlpha1",
            "SubscribeActorEventsAlpha1",
            "RegisterActorTimer",
            "UnregisterActorTimer",
            "RegisterActorReminder",
            "UnregisterActorReminder",
            "UnregisterActorRemindersByType",
            "ListActorReminders",
            "GetActorState",
            "GetActorReminder",
            "ExecuteActorStateTransaction",
            "InvokeActor",
            "SubtleGetKeyAlpha1",
            "SubtleEncryptAlpha1",
            "SubtleDecryptAlpha1",
            "SubtleWrapKeyAlpha1",
            "SubtleUnwrapKeyAlpha1",
            "SubtleSignAlpha1",
            "SubtleVerifyAlpha1",
            "StartWorkflowAlpha1",
            "GetWorkflowAlpha1",
            "PurgeWorkflowAlpha1",
            "TerminateWorkflowAlpha1",
            "PauseWorkflowAlpha1",
            "ResumeWorkflowAlpha1",
            "RaiseEventWorkflowAlpha1",
            "StartWorkflowBeta1",
            "GetWorkflowBeta1",
            "PurgeWorkflowBeta1",
            "TerminateWorkflowBeta1",
            "PauseWorkflowBeta1",
            "ResumeWorkflowBeta1",
            "RaiseEventWorkflowBeta1",
            "ScheduleJob",
            "GetJob",
            "DeleteJob",
            "DeleteJobsByPrefix",
            "ListJobs",
            "ScheduleJobAlpha1",
            "GetJobAlpha1",
            "DeleteJobAlpha1",
            "DeleteJobsByPrefixAlpha1",
            "ListJobsAlpha1",
        ],
    ),
];

const DAPR: &str = "/dapr.proto.runtime.v1.Dapr/";
/// Of workflow workers; the service has no package.
const TASK_HUB: &str = "/TaskHubSidecarService/";

/// Which groups have been told of.
static TOLD: [Once; RPCS.len()] = [const { Once::new() }; RPCS.len()];

/// Apps often keep the answer to themselves.
fn tell(rpc: &str) {
    warn!(
        target: "dapr.runtime.grpc",
        "{rpc} was called and is refused: only service invocation is served here; an app that \
         needs more can run with Dapr's own daprd, whose apps call those of this one and are \
         called by them"
    );
}

/// The answer to the rpc at `path`; `None` for what is served and for what no
/// Dapr knows.
pub(super) fn refusal(path: &str) -> Option<Status> {
    let (code, message, reason) = if path.starts_with(TASK_HUB) {
        &UNIMPLEMENTED
    } else {
        let name = path.strip_prefix(DAPR)?;
        let mut groups = RPCS.iter().zip(&TOLD);
        let ((answer, _), told) = groups.find(|((_, names), _)| names.contains(&name))?;
        told.call_once(|| tell(name));
        answer
    };
    Some(match reason {
        Some(reason) => Status::with_error_info(*code, *message, reason, &[]),
        None => Status::new(*code, *message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Option<Status> {
        refusal(&format!("{DAPR}{name}"))
    }

    #[test]
    fn every_other_rpc_of_dapr_is_answered_once() {
        let mut names: Vec<_> = RPCS.iter().flat_map(|(_, names)| *names).collect();
        assert_eq!(names.len(), 68);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 68);
    }

    #[test]
    fn what_is_served_or_unknown_is_not_refused() {
        for name in ["InvokeService", "GetMetadata", "SetMetadata", "Shutdown"] {
            assert_eq!(of(name), None, "{name}");
        }
        for path in [
            "",
            "/",
            "/dapr.proto.runtime.v1.Dapr/",
            "/dapr.proto.runtime.v1.Dapr/NoSuchRpc",
            "/dapr.proto.runtime.v1.Dapr/getstate",
            "/dapr.proto.runtime.v2.Dapr/GetState",
            "/testing.Echo/GetState",
        ] {
            assert_eq!(refusal(path), None, "{path}");
        }
    }

    #[test]
    fn the_task_hub_is_refused_whatever_the_rpc() {
        let status = refusal("/TaskHubSidecarService/Hello").unwrap();
        assert_eq!(
            status,
            Status::new(Code::Unimplemented, "this API is currently not implemented")
        );
    }

    #[test]
    fn groups_answer_as_dapr_does_without_components() {
        for (name, code, message, reason) in [
            (
                "SaveState",
                Code::FailedPrecondition,
                "state store  is not configured",
                Some("DAPR_STATE_NOT_CONFIGURED"),
            ),
            (
                "BulkPublishEventAlpha1",
                Code::InvalidArgument,
                "pubsub  is not found",
                Some("DAPR_PUBSUB_NOT_FOUND"),
            ),
            (
                "InvokeBinding",
                Code::Internal,
                "error invoking output binding : couldn't find output binding ",
                Some("ERR_INVOKE_OUTPUT_BINDING"),
            ),
            (
                "GetBulkSecret",
                Code::FailedPrecondition,
                "secret store is not configured",
                None,
            ),
            (
                "SubscribeConfiguration",
                Code::FailedPrecondition,
                "configuration stores not configured",
                Some("ERR_CONFIGURATION_STORE_NOT_CONFIGURED"),
            ),
            (
                "UnlockAlpha1",
                Code::FailedPrecondition,
                "lock store is not configured",
                None,
            ),
            (
                "DecryptAlpha1",
                Code::Internal,
                "crypto providers not configured",
                None,
            ),
            (
                "SubtleSignAlpha1",
                Code::Unimplemented,
                "this API is currently not implemented",
                None,
            ),
            (
                "ConverseAlpha2",
                Code::InvalidArgument,
                "failed finding conversation component ",
                None,
            ),
            (
                "InvokeActor",
                Code::Unimplemented,
                "this API is currently not implemented",
                None,
            ),
        ] {
            let expected = match reason {
                Some(reason) => Status::with_error_info(code, message, reason, &[]),
                None => Status::new(code, message),
            };
            assert_eq!(of(name), Some(expected), "{name}");
        }
    }
}
