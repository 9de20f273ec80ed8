//! What a size costs by the hour, beside Lambda's price for the same function: list prices of us-east-1, Linux (AWS
//! price lists, 2026). An estimate for people, no bill. Pure.

use super::size::Size;
use crate::function::{Architecture, Function};

/// USD an hour.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// On Fargate.
    pub fargate: f64,
    /// On Fargate Spot, which varies: as a rule 30 % of it.
    pub spot: f64,
    /// On Lambda, while it lasts.
    pub lambda: f64,
}

/// USD for a vCPU and a GB, an hour, on Fargate; and a GB on Lambda.
fn prices(architecture: Architecture) -> (f64, f64, f64) {
    match architecture {
        Architecture::X86 => (0.040_48, 0.004_445, 0.060_0),
        Architecture::Arm => (0.032_38, 0.003_56, 0.048_0),
    }
}

/// The price of an hour.
pub fn cost(function: &Function, size: Size) -> Cost {
    let (cpu, memory, lambda) = prices(function.architecture);
    let fargate = f64::from(size.cpu) / 1024.0 * cpu + f64::from(size.memory) / 1024.0 * memory;
    Cost { fargate, spot: fargate * 0.3, lambda: f64::from(function.memory_mb) / 1024.0 * lambda }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::sample;

    #[test]
    fn one_vcpu_is_half_of_lambdas_price() {
        let cost = cost(&sample(), Size { cpu: 1024, memory: 2048 });
        assert!((cost.fargate - 0.0494).abs() < 1e-4, "{cost:?}");
        assert!((cost.lambda - 0.1037).abs() < 1e-4, "{cost:?}");
    }
}
