/// How a lane's connection plans: every statement goes in by keys. A plan that reads a whole table or index, made while
/// tables were small or their statistics missing, would go on doing so while they grow.
public enum PlannerSettings {
    public static let sql = """
        SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;
        SET max_parallel_workers_per_gather = 0
        """
}
