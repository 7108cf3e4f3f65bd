/**
 * Where cgroups of containers lie whose config names no absolute path. It belongs to all of them:
 * the first makes it and the last removes it, whoever that is.
 */
export const CGROUP_HOME = '/tsrunc'
