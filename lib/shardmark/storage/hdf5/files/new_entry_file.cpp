// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/files/new_entry_file.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "shardmark/core/rounding.hpp"
#include "shardmark/storage/format/dataset_name.hpp"
#include "shardmark/storage/hdf5/files/entry_file.hpp"
#include "shardmark/storage/hdf5/files/entry_places.hpp"
#include "shardmark/storage/hdf5/files/kept_entry_file.hpp"
#include "shardmark/storage/hdf5/library/attribute.hpp"
#include "shardmark/storage/hdf5/library/dataset_facts.hpp"
#include "shardmark/storage/hdf5/library/datatype.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/hdf5/library/new_file.hpp"
#include "shardmark/storage/hdf5/library/virtual_dataset.hpp"

namespace shardmark {
namespace {

// What an object header, its link and its share of the group index take, from files of 1 to 10,000
// datasets.
constexpr std::int64_t metadata_bytes_per_dataset = 600;
constexpr std::int64_t smallest_group_bytes = 4096;

Result<NewFileOptions> new_file_options(const EntryFileOptions& options, const PackedPlaces& places,
                                        const Manifest& manifest) {
  NewFileOptions file;
  SHARDMARK_ASSIGN_OR_RETURN(
      file.alignment, resolve_alignment(options.storage, object_sizes(options, places, manifest)));
  // A metadata block that is mostly empty would be padding: no larger than what the headers need.
  std::int64_t datasets = 8;
  for (const EntryArrangement& entry : options.arrangement.entries) {
    datasets += entry.form == EntryForm::separate || entry.form == EntryForm::packed ? 0 : 1;
  }
  file.meta_block_size =
      std::min(options.storage.meta_block_size, datasets * metadata_bytes_per_dataset);
  file.holds_virtual =
      options.arrangement.has(EntryForm::separate) || options.arrangement.has(EntryForm::packed);
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    if (options.arrangement.entries[i].form == EntryForm::hdf5_chunks) {
      file.most_tiles = std::max(file.most_tiles, manifest.entries.entries[i].num_chunks);
    }
  }
  return file;
}

}  // namespace

/// One entry file being laid out. HDF5 is locked by the caller wherever it is used.
class NewEntryFile::Creation {
 public:
  Creation(std::string path, EntryFileOptions options, Manifest& manifest)
      : path_(std::move(path)), options_(std::move(options)), manifest_(manifest) {}

  ~Creation() {
    given_up_ = true;
    if (behind_.valid()) {
      behind_.wait();
    }
    const Hdf5Lock lock;
    static_cast<void>(close());
  }
  Creation(const Creation&) = delete;
  Creation& operator=(const Creation&) = delete;

  Status begin() {
    std::vector<std::byte> content;
    if (options_.kept != nullptr) {
      content = KeptEntryFile::content_of(options_, manifest_);
      if (options_.kept->holds(content)) {
        SHARDMARK_ASSIGN_OR_RETURN(made_, options_.kept->make_again(path_, manifest_));
        return {};
      }
    }
    places_ = place_packed(options_, manifest_);
    SHARDMARK_ASSIGN_OR_RETURN(const NewFileOptions file_options,
                               new_file_options(options_, places_, manifest_));
    SHARDMARK_ASSIGN_OR_RETURN(file_, NewHdf5File::create(path_, file_options));
    SHARDMARK_RETURN_IF_ERROR(make_places());
    if (!virtual_entries_.empty()) {
      SHARDMARK_RETURN_IF_ERROR(end_places());
      if (options_.kept == nullptr) {
        bytes_to_come_ = virtual_bytes();
        return {};
      }
    }
    SHARDMARK_RETURN_IF_ERROR(make_virtual_datasets());
    return options_.kept == nullptr
               ? Status()
               : options_.kept->keep(path_, std::move(content), manifest_, made_);
  }

  void finish_behind() {
    if (!file_) {
      return;
    }
    try {
      behind_ = std::async(std::launch::async, [this] {
        const Hdf5Lock lock;
        return make_virtual_datasets();
      });
    } catch (const std::system_error&) {
      // No thread to be had: finish() makes them.
    }
  }

  Result<EntryFileMade> finish() {
    if (behind_.valid()) {
      SHARDMARK_RETURN_IF_ERROR(behind_.get());
    } else if (file_) {
      const Hdf5Lock lock;
      SHARDMARK_RETURN_IF_ERROR(make_virtual_datasets());
    }
    return made_;
  }

  const EntryFileMade& made() const noexcept { return made_; }

  std::int64_t bytes_to_come() const noexcept { return bytes_to_come_; }

 private:
  /// The first step: all that has an address.
  Status make_places() {
    SHARDMARK_ASSIGN_OR_RETURN(tensors_, file_->make_group(tensors_group));
    SHARDMARK_ASSIGN_OR_RETURN(const H5Group objects, file_->make_group(objects_group));
    SHARDMARK_ASSIGN_OR_RETURN(const H5Group own, file_->make_group(shardmark_group));
    SHARDMARK_RETURN_IF_ERROR(write_attributes(own));
    SHARDMARK_RETURN_IF_ERROR(make_packed());
    for (const std::size_t i : order_of_entries(options_, manifest_.entries)) {
      const EntryArrangement& arranged = options_.arrangement.entries[i];
      manifest_.locations[i].stored_as = stored_as(arranged.form);
      manifest_.locations[i].reason = arranged.reason;
      if (stored_as(arranged.form) == StoredAs::separate) {
        virtual_entries_.push_back(i);
        place_chunks(i, arranged.form);
      } else {
        const bool tensor = manifest_.entries.entries[i].kind == EntryKind::tensor;
        SHARDMARK_RETURN_IF_ERROR(make_entry(i, arranged.form, tensor ? tensors_ : objects));
      }
    }
    SHARDMARK_RETURN_IF_ERROR(make_own_datasets(own));
    SHARDMARK_RETURN_IF_ERROR(file_->count_metadata(objects.get()));
    return file_->count_metadata(own.get());
  }

  /// Virtual datasets come behind everything that ranks write: HDF5 would put their headers between
  /// elements, into blocks that others write meanwhile.
  Status end_places() {
    tensors_ = {};
    SHARDMARK_RETURN_IF_ERROR(file_->reopen(
        std::min(options_.storage.meta_block_size,
                 static_cast<std::int64_t>(virtual_entries_.size()) * metadata_bytes_per_dataset)));
    SHARDMARK_ASSIGN_OR_RETURN(tensors_, file_->open_group(tensors_group));
    return {};
  }

  /// What the second step adds to the file, about and not too little.
  std::int64_t virtual_bytes() const {
    std::int64_t num_bytes = 0;
    for (const std::size_t i : virtual_entries_) {
      const Entry& entry = manifest_.entries.entries[i];
      num_bytes += metadata_bytes_per_dataset +
                   static_cast<std::int64_t>(entry.num_chunks * (entry.fqn.size() + 200));
    }
    // The group's heap of names doubles as it grows, and leaves the smaller ones behind.
    return num_bytes + num_bytes / 4 + smallest_group_bytes;
  }

  /// The second step; ends with the file closed. Changes nothing of the manifest, which may be in
  /// use.
  Status make_virtual_datasets() {
    Status status;
    for (auto i = virtual_entries_.begin(); i != virtual_entries_.end() && status; ++i) {
      status = given_up_ ? Status(Error{ErrorCode::internal, "given up"}) : make_virtual(*i);
    }
    status = status ? file_->count_metadata(tensors_.get()) : status;
    const Status closed = close();
    return status ? closed : status;
  }

  Status close() {
    if (!file_) {
      return {};
    }
    tensors_ = {};
    const Status closed = file_->close();
    // Sources of virtual datasets lie in heaps of 4 KiB and more.
    made_.counters = {file_->metadata_bytes() + round_up(heap_bytes_, default_block_bytes)};
    file_.reset();
    return closed;
  }

  Status make_entry(std::size_t index, EntryForm form, const H5Group& group) {
    const Entry& entry = manifest_.entries.entries[index];
    EntryLocation& location = manifest_.locations[index];
    SHARDMARK_ASSIGN_OR_RETURN(const std::string name, dataset_name(entry.fqn));
    std::optional<H5Properties> creation;
    if (form == EntryForm::hdf5_chunks) {
      const Dims tile = manifest_.chunks.box(entry.first_chunk, entry.sizes.ndim()).sizes;
      SHARDMARK_ASSIGN_OR_RETURN(creation, NewHdf5File::tiled(tile));
    }
    SHARDMARK_ASSIGN_OR_RETURN(
        const H5Dataset dataset,
        make_dataset_of(index, name, group, creation ? &*creation : nullptr));
    if (form == EntryForm::hdf5_chunks) {
      return note_tiles(entry, location, dataset);
    }
    if (entry.num_bytes() > 0) {
      SHARDMARK_ASSIGN_OR_RETURN(location.address, address_of(dataset, name));
    }
    return {};
  }

  Status make_virtual(std::size_t index) {
    const Entry& entry = manifest_.entries.entries[index];
    SHARDMARK_ASSIGN_OR_RETURN(const std::string name, dataset_name(entry.fqn));
    SHARDMARK_ASSIGN_OR_RETURN(const VirtualSources sources,
                               sources_of(entry, name, options_.arrangement.entries[index].form));
    heap_bytes_ += sources.heap_bytes();
    return Status(make_dataset_of(index, name, tensors_, &sources.creation()));
  }

  Result<H5Dataset> make_dataset_of(std::size_t index, const std::string& name,
                                    const H5Group& group, const H5Properties* creation) {
    const Entry& entry = manifest_.entries.entries[index];
    SHARDMARK_ASSIGN_OR_RETURN(const H5Type type, hdf5_type(entry.dtype));
    SHARDMARK_ASSIGN_OR_RETURN(H5Dataset dataset,
                               file_->make_dataset(group, name, type, entry.sizes, creation));
    SHARDMARK_RETURN_IF_ERROR(
        AttributeValue(dtype_name(entry.dtype)).create(dataset.get(), "dtype"));
    if (const std::string_view published = manifest_.published_dtype(index); !published.empty()) {
      SHARDMARK_RETURN_IF_ERROR(AttributeValue(published).create(dataset.get(), "published_dtype"));
    }
    SHARDMARK_RETURN_IF_ERROR(file_->count_metadata(dataset.get()));
    return dataset;
  }

  Result<VirtualSources> sources_of(const Entry& entry, const std::string& name,
                                    EntryForm form) const {
    SHARDMARK_ASSIGN_OR_RETURN(const H5Type type, hdf5_type(entry.dtype));
    SHARDMARK_ASSIGN_OR_RETURN(VirtualSources sources,
                               VirtualSources::make(entry.sizes, entry.dtype, type));
    for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
      const Box box = manifest_.chunks.box(c, entry.sizes.ndim());
      if (form == EntryForm::packed) {
        SHARDMARK_RETURN_IF_ERROR(
            sources.add_slice(box, packed_dataset(entry.dtype), places_.first[c],
                              places_.extents[static_cast<std::size_t>(entry.dtype)]));
      } else {
        SHARDMARK_RETURN_IF_ERROR(sources.add_whole(
            box, options_.arrangement.files[data_file_of(c)],
            std::string(chunks_group) + "/" + chunk_dataset_name(name, box.offsets)));
      }
    }
    return sources;
  }

  std::uint64_t data_file_of(std::uint64_t chunk) const {
    return options_.arrangement.file_of_rank[static_cast<std::size_t>(options_.owners[chunk])];
  }

  /// Where the chunks of a virtual dataset lie; addresses in data files are told later.
  void place_chunks(std::size_t index, EntryForm form) {
    const Entry& entry = manifest_.entries.entries[index];
    manifest_.locations[index].first_chunk_location = manifest_.chunk_locations.size();
    for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
      ChunkLocation at;
      if (form == EntryForm::separate) {
        at.file = data_file_of(c);
      } else {
        at.address = made_.packed_addresses[static_cast<std::size_t>(entry.dtype)] +
                     places_.first[c] * element_size(entry.dtype);
      }
      manifest_.chunk_locations.push_back(at);
    }
  }

  Status note_tiles(const Entry& entry, EntryLocation& location, const H5Dataset& dataset) {
    location.first_chunk_location = manifest_.chunk_locations.size();
    for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
      ChunkLocation at;
      const Dims offsets = manifest_.chunks.box(c, entry.sizes.ndim()).offsets;
      SHARDMARK_ASSIGN_OR_RETURN(at.address, tile_address(dataset, offsets));
      manifest_.chunk_locations.push_back(at);
    }
    return {};
  }

  Status make_packed() {
    if (places_.first.empty()) {
      return {};
    }
    SHARDMARK_ASSIGN_OR_RETURN(const H5Group group, file_->make_group(packed_group));
    for (std::uint64_t number = 0; number < num_dtypes; ++number) {
      const Dtype dtype = *dtype_from_number(number);
      const std::int64_t extent = places_.extents[number];
      if (extent == 0) {
        continue;
      }
      const std::string name(dtype_name(dtype));
      SHARDMARK_ASSIGN_OR_RETURN(const H5Type type, hdf5_type(dtype));
      SHARDMARK_ASSIGN_OR_RETURN(const H5Dataset dataset,
                                 file_->make_dataset(group, name, type, Dims{extent}));
      SHARDMARK_ASSIGN_OR_RETURN(made_.packed_addresses[number], address_of(dataset, name));
      SHARDMARK_RETURN_IF_ERROR(file_->count_metadata(dataset.get()));
    }
    return file_->count_metadata(group.get());
  }

  Status write_attributes(const H5Group& own) {
    const auto word = [&](const char* name, auto value) {
      return AttributeValue(value).create(own.get(), name);
    };
    SHARDMARK_RETURN_IF_ERROR(word("format_version", format_version));
    SHARDMARK_RETURN_IF_ERROR(word("seed", manifest_.seed));
    SHARDMARK_RETURN_IF_ERROR(word("step", manifest_.step));
    SHARDMARK_RETURN_IF_ERROR(word("world_size", manifest_.world_size));
    return AttributeValue(manifest_.save_id).create(own.get(), "save_id");
  }

  /// Both sized now, so that ranks write into the file and never make it grow.
  Status make_own_datasets(const H5Group& own) {
    if (const std::uint64_t chunks = manifest_.entries.num_chunks();
        manifest_.checksum == ChecksumKind::xxh3 && chunks > 0) {
      SHARDMARK_ASSIGN_OR_RETURN(const H5Type type, hdf5_word_type());
      SHARDMARK_ASSIGN_OR_RETURN(const H5Dataset checksums,
                                 file_->make_dataset(own, checksums_dataset, type,
                                                     Dims{static_cast<std::int64_t>(chunks)}));
      SHARDMARK_ASSIGN_OR_RETURN(manifest_.checksums_address,
                                 address_of(checksums, checksums_dataset));
      SHARDMARK_RETURN_IF_ERROR(file_->count_metadata(checksums.get()));
    }
    SHARDMARK_ASSIGN_OR_RETURN(const H5Type type, hdf5_byte_type());
    // Locations take the same room whatever they hold, and all else in a manifest is known by now.
    const auto size = static_cast<std::int64_t>(encode(manifest_).size());
    SHARDMARK_ASSIGN_OR_RETURN(const H5Dataset manifest,
                               file_->make_dataset(own, manifest_dataset, type, Dims{size}));
    SHARDMARK_ASSIGN_OR_RETURN(made_.manifest_address, address_of(manifest, manifest_dataset));
    made_.manifest_bytes = size;
    return file_->count_metadata(manifest.get());
  }

  std::string path_;
  EntryFileOptions options_;
  Manifest& manifest_;
  PackedPlaces places_;
  std::optional<NewHdf5File> file_;  // until it is closed
  H5Group tensors_;                  // while file_ is open
  std::vector<std::size_t> virtual_entries_;
  std::int64_t bytes_to_come_ = 0;
  std::int64_t heap_bytes_ = 0;
  EntryFileMade made_;
  std::atomic<bool> given_up_ = false;
  std::future<Status> behind_;
};

NewEntryFile::NewEntryFile(std::unique_ptr<Creation> creation) : creation_(std::move(creation)) {}
NewEntryFile::NewEntryFile(NewEntryFile&&) noexcept = default;
NewEntryFile& NewEntryFile::operator=(NewEntryFile&&) noexcept = default;
NewEntryFile::~NewEntryFile() = default;

Result<NewEntryFile> NewEntryFile::begin(const std::string& path, EntryFileOptions options,
                                         Manifest& manifest) {
  const Hdf5Lock lock;
  manifest.files = options.arrangement.files;
  manifest.layout = options.arrangement.layout;
  manifest.locations.assign(manifest.entries.entries.size(), {});
  manifest.chunk_locations.clear();
  auto creation = std::make_unique<Creation>(path, std::move(options), manifest);
  SHARDMARK_RETURN_IF_ERROR(creation->begin());
  return NewEntryFile(std::move(creation));
}

const EntryFileMade& NewEntryFile::made() const noexcept {
  return creation_->made();
}

std::int64_t NewEntryFile::bytes_to_come() const noexcept {
  return creation_->bytes_to_come();
}

void NewEntryFile::finish_behind() {
  creation_->finish_behind();
}

Result<EntryFileMade> NewEntryFile::finish() {
  return creation_->finish();
}

Result<EntryFileMade> create_entry_file(const std::string& path, EntryFileOptions options,
                                        Manifest& manifest) {
  SHARDMARK_ASSIGN_OR_RETURN(NewEntryFile file,
                             NewEntryFile::begin(path, std::move(options), manifest));
  return file.finish();
}
}  // namespace shardmark
