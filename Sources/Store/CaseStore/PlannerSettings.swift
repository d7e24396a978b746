/// The planner settings of a lane's connection: every statement uses keys. Otherwise a plan with a full scan of a
/// table or index, made while tables were small or had no statistics, would be kept while they grow.
public enum PlannerSettings {
    public static let sql = """
        SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;
        SET max_parallel_workers_per_gather = 0; SET plan_cache_mode = force_generic_plan
        """
}
