"""What an act is about, as whoever does it sees it before."""
