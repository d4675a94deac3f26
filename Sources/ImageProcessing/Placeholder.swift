// Placeholder of the skeleton; the first real file of this target replaces it.
