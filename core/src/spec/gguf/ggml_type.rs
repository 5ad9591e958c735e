//! The ggml tensor types: id in the file, name, elements and bytes per block.

use crate::unit::{Bytes, Overflow};

/// A type's block layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Enum value in the file.
    pub id: u32,
    /// ggml's name.
    pub name: &'static str,
    /// Elements per block, along the contiguous dimension.
    pub block: u64,
    /// Bytes per block.
    pub bytes: u64,
}

macro_rules! ggml_types {
    ($($variant:ident = $id:literal, $name:literal, $block:literal, $bytes:literal;)*) => {
        /// A tensor type of ggml 0.25.3 (`ggml.h`, `enum ggml_type`; layouts as `ggml.c` `type_traits` gives them).
        ///
        /// Ids that are absent here were withdrawn by ggml (4, 5, 31–33, 36–38) or do not exist: they are refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum GgmlType {
            $(#[doc = concat!("`", $name, "`: ", $block, " elements in ", $bytes, " bytes.")] $variant,)*
        }

        impl GgmlType {
            /// All of them, by id.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its block layout.
            #[must_use]
            pub const fn layout(self) -> Layout {
                match self {
                    $(Self::$variant => Layout { id: $id, name: $name, block: $block, bytes: $bytes },)*
                }
            }

            /// The type that the file calls `id`, if ggml still reads it.
            #[must_use]
            pub const fn from_id(id: u32) -> Option<Self> {
                match id {
                    $($id => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

ggml_types! {
    F32 = 0, "f32", 1, 4;
    F16 = 1, "f16", 1, 2;
    Q4_0 = 2, "q4_0", 32, 18;
    Q4_1 = 3, "q4_1", 32, 20;
    Q5_0 = 6, "q5_0", 32, 22;
    Q5_1 = 7, "q5_1", 32, 24;
    Q8_0 = 8, "q8_0", 32, 34;
    Q8_1 = 9, "q8_1", 32, 36;
    Q2K = 10, "q2_K", 256, 84;
    Q3K = 11, "q3_K", 256, 110;
    Q4K = 12, "q4_K", 256, 144;
    Q5K = 13, "q5_K", 256, 176;
    Q6K = 14, "q6_K", 256, 210;
    Q8K = 15, "q8_K", 256, 292;
    Iq2Xxs = 16, "iq2_xxs", 256, 66;
    Iq2Xs = 17, "iq2_xs", 256, 74;
    Iq3Xxs = 18, "iq3_xxs", 256, 98;
    Iq1S = 19, "iq1_s", 256, 50;
    Iq4Nl = 20, "iq4_nl", 32, 18;
    Iq3S = 21, "iq3_s", 256, 110;
    Iq2S = 22, "iq2_s", 256, 82;
    Iq4Xs = 23, "iq4_xs", 256, 136;
    I8 = 24, "i8", 1, 1;
    I16 = 25, "i16", 1, 2;
    I32 = 26, "i32", 1, 4;
    I64 = 27, "i64", 1, 8;
    F64 = 28, "f64", 1, 8;
    Iq1M = 29, "iq1_m", 256, 56;
    Bf16 = 30, "bf16", 1, 2;
    Tq1_0 = 34, "tq1_0", 256, 54;
    Tq2_0 = 35, "tq2_0", 256, 66;
    Mxfp4 = 39, "mxfp4", 32, 17;
    Nvfp4 = 40, "nvfp4", 64, 36;
    Q1_0 = 41, "q1_0", 128, 18;
    Q2_0 = 42, "q2_0", 64, 18;
}

impl GgmlType {
    /// ggml's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.layout().name
    }

    /// Bytes of `elements` elements, `None` where they are no whole number of blocks.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn bytes(self, elements: u64) -> Result<Option<Bytes>, Overflow> {
        let Layout { block, bytes, .. } = self.layout();
        if elements.checked_rem(block) != Some(0) {
            return Ok(None);
        }
        Bytes::new(elements.div_euclid(block)).times(bytes).map(Some)
    }
}
