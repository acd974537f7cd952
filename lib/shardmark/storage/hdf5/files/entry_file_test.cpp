// SPDX-License-Identifier: Apache-2.0
// The entry file as HDF5 itself sees it, without MPI.
#include "shardmark/storage/hdf5/files/entry_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <numeric>

#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/storage/hdf5/files/kept_entry_file.hpp"
#include "shardmark/storage/hdf5/files/new_entry_file.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::TemporaryDirectory;

void add(Manifest& manifest, const std::string& fqn, Dtype dtype, const Dims& sizes,
         EntryKind kind = EntryKind::tensor) {
  const Box whole = whole_box(sizes);
  manifest.entries.entries.push_back(
      {fqn, kind, dtype, sizes, manifest.entries.num_chunks(), whole.empty() ? 0U : 1U});
  if (!whole.empty()) {
    manifest.chunks.append(whole);
  }
}

/// Entries of every dtype, with names that HDF5 does not take as they are, in order.
Manifest awkward_manifest() {
  Manifest manifest;
  manifest.save_id = std::string(32, 'a');
  add(manifest, "", Dtype::float32, {3});
  add(manifest, std::string("\0", 1), Dtype::float32, {1});
  add(manifest, "%", Dtype::uint8, {0}, EntryKind::object);
  add(manifest, ".", Dtype::uint8, {8}, EntryKind::object);
  add(manifest, "..", Dtype::float32, {2, 0, 4});
  add(manifest, "a/b", Dtype::float32, {});
  for (std::uint64_t number = 0; number < num_dtypes; ++number) {
    add(manifest, fmt::format("dtype.{:02}", number), *dtype_from_number(number), {5, 1000});
  }
  add(manifest, std::string(max_fqn_bytes, 'x'), Dtype::bfloat16, {1, 1, 1, 1, 1, 1, 1, 2});
  add(manifest, "größe", Dtype::int64, {70'000});
  return manifest;
}

/// Lays the manifest's entries out in layout `layout`, all chunks written by rank 0.
Result<LayoutCounters> lay_out(const std::string& path, std::int64_t meta_block_size,
                               Manifest& manifest, FileLayout layout = FileLayout::shared) {
  StorageOptions options;
  options.layout = layout;
  options.meta_block_size = meta_block_size;
  const std::vector<int> nodes = {0};
  const FileArrangement arrangement =
      arrange_files(options, manifest.entries, manifest.chunks, nodes);
  const std::vector<std::int32_t> owners(manifest.entries.num_chunks(), 0);
  SHARDMARK_ASSIGN_OR_RETURN(const EntryFileMade made,
                             create_entry_file(path, {options, arrangement, owners}, manifest));
  return made.counters;
}

TEST(EntryFile, EveryDatasetLiesWhereTheManifestSays) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/checkpoint.h5";
  Manifest manifest = awkward_manifest();
  const auto counters = lay_out(path, 1 << 20, manifest);
  ASSERT_TRUE(counters) << counters.error().message;
  const std::int64_t size = *file_size(path);
  EXPECT_TRUE(check_locations(manifest, std::vector<std::int64_t>{size}));
  const std::vector<std::byte> bytes = encode(manifest);
  const auto address = write_manifest_dataset(path, bytes);
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_EQ(*file_size(path), size) << "the file has its final length when it is made";
  std::vector<std::byte> stored(bytes.size());
  ASSERT_TRUE(read_at(*open_file(path, 0), path, stored, *address));
  EXPECT_EQ(stored, bytes);

  const H5File file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  ASSERT_TRUE(file);
  std::int64_t elements = 0;
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    const auto name = dataset_path(entry);
    ASSERT_TRUE(name);
    const H5Dataset dataset(H5Dopen2(file.get(), name->c_str(), H5P_DEFAULT));
    ASSERT_TRUE(dataset) << name->substr(0, 60);
    const H5Space space(H5Dget_space(dataset.get()));
    std::array<hsize_t, max_ndim> extents{};
    ASSERT_EQ(H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr), entry.sizes.ndim());
    EXPECT_TRUE(std::equal(entry.sizes.begin(), entry.sizes.end(), extents.begin(),
                           [](std::int64_t a, hsize_t b) { return a == static_cast<int64_t>(b); }));
    const H5Type type(H5Dget_type(dataset.get()));
    EXPECT_EQ(H5Tget_size(type.get()), static_cast<std::size_t>(element_size(entry.dtype)));
    if (entry.num_bytes() > 0) {
      EXPECT_EQ(H5Dget_offset(dataset.get()), static_cast<haddr_t>(manifest.locations[i].address));
    } else {
      EXPECT_EQ(manifest.locations[i].address, -1);
    }
    elements += entry.num_bytes();
    const H5Attribute attribute(H5Aopen(dataset.get(), "dtype", H5P_DEFAULT));
    const H5Type text_type(H5Aget_type(attribute.get()));
    std::string text(H5Tget_size(text_type.get()), '\0');
    ASSERT_GE(H5Aread(attribute.get(), text_type.get(), text.data()), 0);
    EXPECT_EQ(text, dtype_name(entry.dtype));
  }
  const std::int64_t padding = size - elements - static_cast<std::int64_t>(bytes.size()) -
                               static_cast<std::int64_t>(8 * manifest.entries.num_chunks()) -
                               counters->library_metadata_bytes;
  EXPECT_GE(padding, 0);
  EXPECT_LE(padding * 20, size);
}

TEST(EntryFile, WholeTensorsOfOneRankLieSideBySide) {
  const TemporaryDirectory directory;
  Manifest manifest;
  manifest.save_id = std::string(32, 'a');
  std::vector<std::int32_t> owners;
  for (int i = 0; i < 12; ++i) {
    add(manifest, fmt::format("{:02}", i), Dtype::int16, {100 + i});
    owners.push_back(i * 7 % 3);
  }
  StorageOptions options;
  options.alignment = 1;
  options.layout = FileLayout::shared;
  const std::vector<int> nodes = {0, 0, 0};
  const FileArrangement arrangement =
      arrange_files(options, manifest.entries, manifest.chunks, nodes);
  ASSERT_TRUE(create_entry_file(directory.path() + "/checkpoint.h5", {options, arrangement, owners},
                                manifest));
  std::vector<std::pair<std::int64_t, std::int32_t>> by_address;
  for (std::size_t i = 0; i < owners.size(); ++i) {
    by_address.emplace_back(manifest.locations[i].address, owners[i]);
  }
  std::sort(by_address.begin(), by_address.end());
  EXPECT_TRUE(std::is_sorted(by_address.begin(), by_address.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; }));
}

/// All bytes of a small file but the superblock's extension, which files with hdf5_chunks have at
/// its beginning and HDF5 dates.
std::vector<std::byte> bytes_of(const std::string& path, FileLayout layout) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(*file_size(path)));
  EXPECT_TRUE(read_at(*open_file(path, 0), path, bytes, 0));
  if (layout == FileLayout::shared_chunked) {
    bytes.erase(bytes.begin() + 48, bytes.begin() + 97);
  }
  return bytes;
}

TEST(EntryFile, AKeptStructureGivesTheBytesThatHdf5WouldLayOut) {
  const TemporaryDirectory directory;
  int number = 0;
  const auto lay_out_with = [&](KeptEntryFile* kept, Manifest& manifest,
                                const StorageOptions& options) {
    const std::vector<int> nodes = {0, 0};
    const FileArrangement arrangement =
        arrange_files(options, manifest.entries, manifest.chunks, nodes);
    const std::vector<std::int32_t> owners(manifest.entries.num_chunks(), 0);
    const std::string path = fmt::format("{}/{}.h5", directory.path(), number++);
    EXPECT_TRUE(create_entry_file(path, {options, arrangement, owners, kept}, manifest));
    return bytes_of(path, options.layout);
  };
  for (const FileLayout layout :
       {FileLayout::shared, FileLayout::shared_chunked, FileLayout::per_rank, FileLayout::packed}) {
    StorageOptions options;
    options.layout = layout;
    KeptEntryFile kept;
    Manifest first = awkward_manifest();
    lay_out_with(&kept, first, options);
    Manifest again = awkward_manifest();
    again.step = 9;
    again.seed = 77;
    again.save_id = std::string(32, 'b');
    Manifest fresh = again;
    EXPECT_TRUE(lay_out_with(&kept, again, options) == lay_out_with(nullptr, fresh, options));
    EXPECT_EQ(encode(again), encode(fresh));

    // Anything that is different is laid out anew.
    const auto expect_fresh = [&](Manifest other, const StorageOptions& other_options) {
      Manifest same = other;
      EXPECT_TRUE(lay_out_with(&kept, other, other_options) ==
                  lay_out_with(nullptr, same, other_options));
      EXPECT_EQ(encode(other), encode(same));
    };
    Manifest other = awkward_manifest();
    other.entries.entries.back().fqn += "x";
    expect_fresh(other, options);
    other = awkward_manifest();
    other.entries.entries.back().dtype = Dtype::float64;
    expect_fresh(other, options);
    other = awkward_manifest();
    other.step = 128;  // one byte longer in the manifest
    expect_fresh(other, options);
    other = awkward_manifest();
    other.world_size = 7;
    expect_fresh(other, options);
    options.alignment = 64;
    expect_fresh(awkward_manifest(), options);
    options.meta_block_size = 2048;
    expect_fresh(awkward_manifest(), options);
  }
}

/// The first step of an entry file whose tensors lie in the data file of one rank.
Result<NewEntryFile> begin_per_rank(const std::string& path, Manifest& manifest,
                                    std::span<const std::int32_t> owners) {
  StorageOptions options;
  options.layout = FileLayout::per_rank;
  const std::vector<int> nodes = {0};
  return NewEntryFile::begin(
      path, {options, arrange_files(options, manifest.entries, manifest.chunks, nodes), owners},
      manifest);
}

TEST(EntryFile, PlacesHoldWhatIsWrittenWhileVirtualDatasetsAreMade) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/checkpoint.h5";
  Manifest manifest = awkward_manifest();
  for (int i = 0; i < 500; ++i) {
    add(manifest, fmt::format("virtual.{:03}", i), Dtype::int16, {100 + i});
  }
  const std::vector<std::int32_t> owners(manifest.entries.num_chunks(), 0);
  auto file = begin_per_rank(path, manifest, owners);
  ASSERT_TRUE(file) << file.error().message;
  const std::int64_t size = *file_size(path);
  const std::int64_t to_come = file->bytes_to_come();
  std::vector<std::uint64_t> checksums(manifest.entries.num_chunks());
  std::iota(checksums.begin(), checksums.end(), std::uint64_t{1});
  EXPECT_LE(manifest.checksums_address + static_cast<std::int64_t>(8 * checksums.size()), size);

  file->finish_behind();
  const auto write = [&](std::int64_t address, std::span<const std::byte> bytes) {
    EXPECT_TRUE(write_at(*open_file(path, O_RDWR), path, bytes, address));
  };
  write(manifest.checksums_address, std::as_bytes(std::span(checksums)));
  const std::size_t scalar = *manifest.entries.find("a/b");
  const float value = 2.5F;
  write(manifest.locations[scalar].address, std::as_bytes(std::span(&value, 1)));
  const auto made = file->finish();
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_GE(size + to_come, *file_size(path)) << "all that came was reserved";
  ASSERT_TRUE(write_manifest_dataset(path, encode(manifest)));

  const H5File stored(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  ASSERT_TRUE(stored);
  std::vector<std::uint64_t> read(checksums.size());
  const H5Dataset of_checksums(H5Dopen2(stored.get(), checksums_dataset, H5P_DEFAULT));
  ASSERT_GE(
      H5Dread(of_checksums.get(), H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, read.data()),
      0);
  EXPECT_EQ(read, checksums);
  float got = 0;
  const H5Dataset of_scalar(H5Dopen2(stored.get(), "/tensors/a%2Fb", H5P_DEFAULT));
  ASSERT_GE(H5Dread(of_scalar.get(), H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, &got), 0);
  EXPECT_EQ(got, value);
  for (const char* name : {"/tensors/virtual.000", "/tensors/virtual.499"}) {
    const H5Dataset dataset(H5Dopen2(stored.get(), name, H5P_DEFAULT));
    const H5Properties properties(H5Dget_create_plist(dataset.get()));
    EXPECT_EQ(H5Pget_layout(properties.get()), H5D_VIRTUAL) << name;
  }
}

TEST(EntryFile, GivenUpItLeavesHdf5Usable) {
  const TemporaryDirectory directory;
  Manifest manifest = awkward_manifest();
  const std::vector<std::int32_t> owners(manifest.entries.num_chunks(), 0);
  for (const bool begun : {false, true}) {
    auto file = begin_per_rank(fmt::format("{}/{}.h5", directory.path(), begun), manifest, owners);
    ASSERT_TRUE(file) << file.error().message;
    if (begun) {
      file->finish_behind();
    }
  }
  EXPECT_FALSE(hdf5_unusable());
  EXPECT_TRUE(lay_out(directory.path() + "/checkpoint.h5", 0, manifest));
}

TEST(EntryFileDeathTest, VirtualDatasetsThatFindNoRoomAreAnError) {
  const auto lay_out_with_no_room = [] {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/checkpoint.h5";
    Manifest manifest;
    manifest.save_id = std::string(32, 'a');
    for (int i = 0; i < 100; ++i) {
      add(manifest, fmt::format("{}", i), Dtype::int16, {100});
    }
    const std::vector<std::int32_t> owners(manifest.entries.num_chunks(), 0);
    auto file = begin_per_rank(path, manifest, owners);
    if (!file) {
      std::_Exit(1);
    }
    ::signal(SIGXFSZ, SIG_IGN);
    const auto size = static_cast<rlim_t>(*file_size(path));
    const rlimit limit{size, size};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    file->finish_behind();
    const auto made = file->finish();
    std::_Exit(!made && made.error().code == ErrorCode::no_space && hdf5_unusable() ? 0 : 2);
  };
  EXPECT_EXIT(lay_out_with_no_room(), ::testing::ExitedWithCode(0), "");
}

TEST(EntryFile, NeverReplacesAFile) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/checkpoint.h5";
  Manifest manifest = awkward_manifest();
  ASSERT_TRUE(lay_out(path, 0, manifest));
  const auto again = lay_out(path, 0, manifest);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, ::testing::HasSubstr(path));
  EXPECT_FALSE(hdf5_unusable());
}

TEST(EntryFile, PadsAtMostFivePercent) {
  for (const std::int64_t scale : {1, 3, 64}) {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/checkpoint.h5";
    Manifest manifest;
    add(manifest, "a", Dtype::int32, {scale * 4096 + 1});
    add(manifest, "b", Dtype::int32, {scale * 262'144});
    add(manifest, "c", Dtype::int8, {17});
    add(manifest, "d", Dtype::int32, {scale * 65'536});
    add(manifest, "e", Dtype::int32, {scale * 524'288});
    const auto counters = lay_out(path, 1 << 20, manifest);
    ASSERT_TRUE(counters) << counters.error().message;
    std::int64_t known = counters->library_metadata_bytes;
    for (const Entry& entry : manifest.entries.entries) {
      known += entry.num_bytes();
    }
    EXPECT_LE((*file_size(path) - known) * 20, *file_size(path)) << "scale " << scale;
  }
}

}  // namespace
}  // namespace shardmark
