// SPDX-License-Identifier: Apache-2.0
// What Lustre's extended attribute of a file's stripes is made of: its user interface, the header
// lustre/include/uapi/linux/lustre/lustre_user.h of Lustre 2.15 (structs lov_user_md_v1,
// lov_user_md_v3, lov_comp_md_v1 and lov_comp_md_entry_v1). All numbers in it are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shardmark::lustre {

inline constexpr const char* layout_attribute = "lustre.lov";

// lmm_magic, lcm_magic.
inline constexpr std::uint32_t magic_v1 = 0x0BD10BD0;
inline constexpr std::uint32_t magic_v3 = 0x0BD30BD0;
inline constexpr std::uint32_t magic_composite = 0x0BD60BD0;

// lov_user_md_v1 and _v3: where a field lies. Objects follow.
inline constexpr std::size_t pattern_at = 4;
inline constexpr std::size_t stripe_size_at = 24;
inline constexpr std::size_t stripe_count_at = 28;
inline constexpr std::size_t stripe_offset_at = 30;
inline constexpr std::size_t pool_at = 32;  // v3 only
inline constexpr std::size_t bytes_v1 = 32;
inline constexpr std::size_t bytes_v3 = 48;

// lov_comp_md_v1.
inline constexpr std::size_t composite_size_at = 4;
inline constexpr std::size_t entry_count_at = 14;
inline constexpr std::size_t composite_bytes = 32;

// lov_comp_md_entry_v1.
inline constexpr std::size_t entry_id_at = 0;
inline constexpr std::size_t entry_flags_at = 4;
inline constexpr std::size_t entry_begin_at = 8;
inline constexpr std::size_t entry_end_at = 16;
inline constexpr std::size_t entry_offset_at = 24;
inline constexpr std::size_t entry_size_at = 28;
inline constexpr std::size_t entry_bytes = 48;

inline constexpr std::uint32_t entry_stale = 0x01;      // a mirror that is out of date
inline constexpr std::uint32_t entry_extension = 0x40;  // never holds data
inline constexpr std::uint32_t entry_parity = 0x80;
inline constexpr std::uint32_t mirror_mask = 0x7FFF0000;  // of the id
inline constexpr std::uint64_t end_of_file = ~std::uint64_t{0};

// lmm_pattern.
inline constexpr std::uint32_t pattern_raid0 = 0x001;
inline constexpr std::uint32_t pattern_metadata_server = 0x100;  // the data lies there

inline constexpr std::uint32_t stripe_unit = 64 << 10;
inline constexpr std::uint16_t all_targets = 0xFFFF;
// From here on as many as there are targets, or a multiple of that.
inline constexpr std::uint16_t least_all_targets = 0xFFE0;
inline constexpr std::uint16_t any_target = 0xFFFF;  // lmm_stripe_offset

}  // namespace shardmark::lustre
