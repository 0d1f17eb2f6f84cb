"""Files for DJ programs: collections, playlists, crates, and what lies in the tags of audio files."""
