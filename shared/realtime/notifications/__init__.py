"""What each kind of notification comes to: one module for each type of resource, one pure function for each kind."""
