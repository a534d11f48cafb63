"""The attacks, each with how it is held. Another one is another line here. As a program it prints their names."""

from attack import Attack
from attacks import bodies, odd, reads, slots, steps

ATTACKS = [
    Attack(1, "unread_bodies", "no credential: 128 whole and 128 half-sent bodies of 16 MiB",
           bodies.without_credential, bodies.refused_before_the_body),
    Attack(2, "lists", "a read key: 12 parallel lists over 200,000 tasks that find nothing",
           reads.lists_that_find_nothing, reads.answered_or_put_off, setup=reads.many_tasks),
    Attack(2, "dear_lists", "a read key: 20 parallel lists that look at as many tasks as they may",
           reads.dear_lists, reads.answered_or_put_off, setup=reads.many_tasks),
    Attack(3, "slots", "300 tasks under 300 queue names to one receiver that hangs, timeout 1800 s",
           slots.many_queues_that_hang, slots.made_or_over_quota),
    Attack(3, "slots_again", "the same five times a second, each time under 300 new names",
           slots.ever_more_queues_that_hang, slots.made_or_over_quota),
    Attack(4, "dependents", "20,000 dependents of a task that completes, and of one that is cancelled",
           steps.end_both, steps.all_are_seen_to, setup=steps.two_tasks_with_dependents),
    Attack(5, "max_age", "300 queues of 500 tasks to a receiver that hangs, then a max_age of 1 s",
           steps.give_them_a_max_age, steps.they_expire, setup=steps.many_queues_of_old_tasks),
    Attack(6, "discard_old", "a queue of 60,000, then max_entries 1 with discard_old, 8 creators",
           steps.discard_what_is_old, steps.taken_or_full, setup=steps.a_full_queue),
    Attack(7, "retry_nothing", "a worker key: retries of an id that is not there, 350/s",
           steps.retry_what_is_not_there, steps.not_found),
    Attack(7, "retry_hundreds", "the same with a hundred such ids each",
           steps.retry_hundreds_that_are_not_there, steps.not_found),
    Attack(8, "paused_lanes", "10,000 endpoints, 5,000 lanes in a paused queue, and 500 tasks/s for these",
           slots.more_of_them, slots.made_or_over_quota, setup=slots.many_endpoints_and_lanes),
    Attack(9, "batches_of_ones", "16 batches of 16 MiB with eight million numbers each",
           bodies.batches_of_ones, bodies.refused_by_count),
    Attack(10, "own_host", "webhooks to the host's own addresses and to ports of other services",
           odd.webhooks_to_the_host, odd.all_denied, settings={"POSTERN_EGRESS_ALLOW": "127.0.0.1/32"}),
    Attack(11, "tokens", "signals and ends of deferred attempts, whose tokens no log may have",
           odd.use_tokens, odd.no_log_has_one),
    Attack(12, "odd_rows", "40 rows that no code expects",
           odd.odd_rows, odd.set_aside_and_shown, settings={"POSTERN_RESCUE_AFTER": "2s"}),
    Attack(13, "odd_times", "times without end or out of range, by SQL and by HTTP",
           odd.odd_times, odd.all_refused),
    Attack(14, "large_tasks", "75 tasks of 8 MiB by SQL to a receiver that hangs", odd.large_tasks, odd.all_taken),
    Attack(15, "serializable", "a database whose transactions are serializable; 8 clients make tasks and cancel them",
           odd.make_and_cancel, odd.works_and_doctor_tells, setup=odd.serializable),
    Attack(16, "odd_names", "roles, headers and retry policies that are nearly right",
           odd.odd_names, odd.all_refused),
    Attack(16, "endless_records", "the handlers' socket: FastCGI parameters of 2 GiB",
           odd.endless_records, odd.nobody_ended),
    Attack(17, "schedules", "20,000 schedules of one second, all due at once, that make up for what they miss",
           steps.let_them_fire, steps.they_fire, setup=steps.many_schedules_of_a_second),
    Attack(17, "schedules_at_once", "20,000 schedules of one minute, all due at once",
           steps.let_them_fire, steps.they_fire, setup=steps.many_schedules_of_a_minute),
]

if __name__ == "__main__":
    print(*(attack.name for attack in ATTACKS))
