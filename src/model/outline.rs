//! What would be measured, without a packet sent: the plan as `blockprobe list` tells it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::check::Check;
use crate::model::observation::Operation;

/// The plan before anything was seen.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Outline {
    /// Every endpoint, in the order of the definitions.
    pub endpoints: Vec<OutlineEndpoint>,
    /// The checks that are known before anything was seen; climbs to resolved addresses follow in the run.
    pub checks: Vec<Check>,
}

/// One endpoint and how high it will be climbed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OutlineEndpoint {
    /// Id of the target, or `ground` for a control.
    pub target: String,
    /// Name of the target, or the operator of the control.
    pub name: String,
    /// Id of the service; the control's id for a control.
    pub service: String,
    /// The service is essential.
    pub essential: bool,
    /// The service's endpoints stand in for one another.
    pub pool: bool,
    /// Those at the same host or address do.
    pub by_place: bool,
    /// Id of the endpoint.
    pub endpoint: String,
    /// Steps that will be measured.
    pub ladder: Vec<Operation>,
}
