"""Middle floor: files -> packets -> streams -> messages -> requests. No terminal."""
