"""Public data sets: downloaded, checked and unpacked, where a volume of the configuration lies in one."""
