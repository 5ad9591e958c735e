//! llama.cpp's buffers: which device has how much of each cache, as its log lists them.

use super::layers::{Census, index};
use super::{Bill, Case};
use crate::cache::Role;
use crate::engine::llama_cpp::{BufferReport, RECURRENT};
use crate::engine::{Report, Reservation};
use crate::error::PlanError;
use crate::unit::Bytes;

impl Case<'_> {
    /// Adds buffers by device, and each layer's device, to llama.cpp's report.
    ///
    /// # Errors
    /// `overflow` past 64 bits.
    pub(crate) fn list_buffers(&self, reservation: &mut Reservation, bill: &Bill) -> Result<(), PlanError> {
        let (Report::LlamaCpp(report), Some(places)) = (&mut reservation.report, &bill.layers) else {
            return Ok(());
        };
        let devices = bill.devices();
        let census: Census = self.census(places);
        let names: Vec<String> = (0..=devices).map(|place| self.place_name(place)).collect();
        let mut recurrent = vec![Bytes::ZERO; devices + 1];
        let mut caches = vec![recurrent.clone(); report.caches.len()];
        for line in &reservation.lines {
            let at = report.caches.iter().position(|cache| cache.name == line.cache);
            let to = match (line.role, at) {
                // A compressor's state has its cache's name and no buffer line.
                (Role::CompressorState, _) => continue,
                (_, Some(at)) => caches.get_mut(at),
                (_, None) => (line.cache == RECURRENT).then_some(&mut recurrent),
            };
            for (slot, part) in to.into_iter().flatten().zip(census.split(line)?) {
                *slot = slot.plus(part)?;
            }
        }
        let listed = |bytes: &[Bytes]| -> Vec<BufferReport> {
            // Host memory first, as names sort.
            let order = std::iter::once(devices).chain(0..devices);
            order
                .filter_map(|place| {
                    let bytes = bytes.get(place).copied().filter(|b| *b > Bytes::ZERO)?;
                    Some(BufferReport { buft: names.get(place)?.clone(), bytes: bytes.get() })
                })
                .collect()
        };
        for (cache, bytes) in report.caches.iter_mut().zip(&caches) {
            cache.bufs = listed(bytes);
        }
        if let Some(memory) = &mut report.recurrent {
            memory.bufs = listed(&recurrent);
        }
        report.layer_device =
            places.iter().filter_map(|place| names.get(index(*place, devices)).cloned()).collect();
        Ok(())
    }
}
