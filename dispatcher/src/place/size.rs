//! Sizes of Fargate tasks on Linux (ECS developer guide, "Task CPU and memory"): which pairs there are, and the
//! smallest that holds a function. Pure.

use serde::{Deserialize, Serialize};

/// CPU units of which 1,024 are a vCPU, and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// CPU units.
    pub cpu: u32,
    /// MiB.
    pub memory: u32,
}

const GIB: u32 = 1024;

/// For each number of CPU units: the least memory, the most, and the step between, GiB.
const STEPS: [(u32, u32, u32, u32); 6] = [
    (512, 1, 4, 1),
    (1024, 2, 8, 1),
    (2048, 4, 16, 1),
    (4096, 8, 30, 1),
    (8192, 16, 60, 4),
    (16384, 32, 120, 8),
];

/// All sizes, smallest first: by CPU, then by memory.
pub fn all() -> impl Iterator<Item = Size> {
    let smallest = [512, GIB, 2 * GIB].map(|memory| Size { cpu: 256, memory });
    let largest = [60, 120, 244].map(|gib| Size { cpu: 32768, memory: gib * GIB });
    let middle = STEPS.into_iter().flat_map(|(cpu, least, most, step)| {
        (least..=most).step_by(step as usize).map(move |gib| Size { cpu, memory: gib * GIB })
    });
    smallest.into_iter().chain(middle).chain(largest)
}

/// The smallest size with so much of both; `larger` sizes of memory above it, each at least twice the one before.
pub fn smallest(cpu: u32, memory: u32, larger: u32) -> Option<Size> {
    let memory = doubled(memory, larger)?;
    all()
        .filter(|size| size.cpu >= cpu && size.memory >= memory)
        .min_by_key(|size| (size.cpu, size.memory))
}

/// So much memory, doubled so often.
pub fn doubled(memory: u32, larger: u32) -> Option<u32> {
    memory.checked_shl(larger).filter(|more| more >> larger.min(31) == memory)
}

/// The CPU units that Lambda gives a function of this memory: 1,769 MB are one vCPU (Lambda developer guide,
/// "Configure Lambda function memory"). Less 5 %: for a whisker nobody pays twice.
pub fn as_lambda(memory_mb: u32) -> u32 {
    let units = u64::from(memory_mb) * 1024 * 95 / (1769 * 100);
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn there_are_as_many_sizes_as_in_the_guide() {
        assert_eq!(all().count(), 3 + 4 + 7 + 13 + 23 + 12 + 12 + 3);
    }

    #[test]
    fn functions_get_the_smallest_that_holds_them() {
        for (memory, expected) in [
            (128, (256, 512)),
            (448, (256, 512)),
            (512, (512, 1024)),
            (1769, (1024, 2048)),
            (3008, (2048, 4096)),
            (10240, (8192, 16384)),
            (32704, (32768, 61440)),
        ] {
            // The supervisor takes 64 MiB.
            let size = smallest(as_lambda(memory), memory + 64, 0).unwrap();
            assert_eq!((size.cpu, size.memory), expected, "{memory}");
        }
        assert_eq!(smallest(256, 250 * GIB, 0), None);
        assert_eq!(smallest(256, 512, 2).unwrap(), Size { cpu: 256, memory: 2048 });
        assert_eq!(smallest(256, 512, 31), None);
        assert_eq!(smallest(256, 512, 99), None);
    }

    proptest! {
        #[test]
        fn a_size_holds_what_was_asked_for(cpu in 1u32..40_000, memory in 1u32..300_000, larger in 0u32..40) {
            if let Some(size) = smallest(cpu, memory, larger) {
                prop_assert!(size.cpu >= cpu && size.memory >= memory);
                prop_assert!(all().any(|one| one == size));
            } else {
                let wanted = u64::from(memory) << larger.min(40);
                prop_assert!(cpu > 32768 || wanted > 244 * 1024);
            }
        }
    }
}
