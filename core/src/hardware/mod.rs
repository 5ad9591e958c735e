//! Machines: what memory a device has, how fast it is read, what it computes, and how sure each of these is.
//!
//! A record of `model-specs/hardware` ([`HardwareFile`]) becomes a [`Device`], found in the [`catalog`] by id or alias,
//! or described in the request by name, memory and bandwidth. Host memory, disks and links are devices too: they hold
//! or carry bytes at a rate. A unified-memory machine is one pool that its GPU and its processor share.

pub mod catalog;
mod device;
mod file;

pub use device::{Device, Usable};
pub use file::{Class, Flops, HardwareFile, SpeedClass};
