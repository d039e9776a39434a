//! Prints a cluster as a `List`: `target-allocator-world PODS MONITORS [COLLECTORS [REPLACED]]`.

use std::io::Write;
use std::process::ExitCode;

use target_allocator_world::World;

fn main() -> ExitCode {
    let numbers: Result<Vec<usize>, _> = std::env::args().skip(1).map(|number| number.parse()).collect();
    let world = match numbers.as_deref() {
        Ok([pods, monitors]) => World::new(*pods, *monitors),
        Ok([pods, monitors, collectors]) => World { collectors: *collectors, ..World::new(*pods, *monitors) },
        Ok([pods, monitors, collectors, replaced]) => {
            World { collectors: *collectors, replaced: *replaced, ..World::new(*pods, *monitors) }
        }
        _ => {
            eprintln!("usage: target-allocator-world PODS MONITORS [COLLECTORS [REPLACED]]");
            return ExitCode::from(2);
        }
    };
    match std::io::stdout().write_all(world.list().as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("target-allocator-world: {error}");
            ExitCode::FAILURE
        }
    }
}
