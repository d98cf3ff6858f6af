-- What every feature of the vocabulary means, over all recorded rows at once: no states, no folds.
-- $1: the rows as JSON. Times are microseconds, money minor units of a currency with two digits.
-- A settlement or a label is known to a later row from its own time on.
with recursive ev as materialized (
  select *, floor(at / 86400000000)::int as day, type in ('withdrawal', 'transfer') as is_out,
         trunc(amount::numeric, least(0, 2 - length(amount::text))) as floor2,
         trunc(amount::numeric, least(0, 3 - length(amount::text))) as floor3
    from jsonb_to_recordset($1::jsonb) as r (
      n int, at bigint, type text, amount bigint, account text, category text, counterparty text, settled_at bigint,
      fraud_at bigint, confirmed boolean, login_risk float8, login_at bigint, changed_at bigint)
),
own as materialized (
  select i.n,
         count(*) filter (where s.day > i.day - 90) as settled_90d, coalesce(sum(s.amount) filter (where s.day > i.day - 90), 0) as sum_90d,
         count(s.n) as settled_ever, coalesce(sum(s.amount), 0) as sum_ever,
         percentile_disc(0.5) within group (order by s.floor2) as median
    from ev i left join ev s on s.n < i.n and s.account = i.account and s.type = i.type and s.settled_at <= i.at
   group by i.n
),
spread as materialized (
  select i.n, percentile_disc(0.5) within group (order by abs(s.floor2 - o.median)) as mad
    from ev i join own o on o.n = i.n
    join ev s on s.n < i.n and s.account = i.account and s.type = i.type and s.settled_at <= i.at
   group by i.n
),
anomaly as materialized (
  select e.n from ev e join own o on o.n = e.n where o.settled_ever >= 5 and e.amount * o.settled_ever > 3 * o.sum_ever
),
-- A label is explained by the payment itself, or by an explained one of the account that was known before.
explained as (
  select e.* from ev e join anomaly a on a.n = e.n where e.fraud_at is not null
  union
  select j.* from explained k
    join ev j on j.account = k.account and j.fraud_at is not null and (k.fraud_at, k.n) < (j.fraud_at, j.n)
     and k.day > j.day - 30 and k.day <= j.day + 7
),
label as materialized (
  select e.*, exists (select from explained x where x.n = e.n) as is_own from ev e where e.fraud_at is not null
),
-- The days of the row's counterparty, as they are known when the row is judged.
cp_day as materialized (
  select i.n, p.day, count(*) as payments,
         count(*) filter (where l.n is not null and not l.is_own) as frauds, count(*) filter (where l.is_own) as own
    from ev i join ev p on p.n < i.n and p.counterparty = i.counterparty
    left join label l on l.n = p.n and l.fraud_at <= i.at
   group by i.n, p.day
),
-- Days whose outcome is known, and the last of them on which most was clean.
cp_clean as materialized (
  select d.n, max(d.day) as day from cp_day d join ev i on i.n = d.n
   where d.day <= i.day - 8 and d.payments - d.frauds - d.own > d.frauds group by d.n
),
run as materialized (
  select i.n, sum(d.frauds) as frauds, min(d.day) as first
    from ev i join cp_day d on d.n = i.n left join cp_clean c on c.n = i.n
   where d.frauds > 0 and d.day >= coalesce(c.day, -1) group by i.n
),
run_age as materialized (
  select r.n, r.frauds,
         i.day - case when r.first <= i.day - 8 and f.payments > f.frauds + f.own then r.first else coalesce(c.day, r.first) end as days
    from run r join ev i on i.n = r.n join cp_day f on f.n = r.n and f.day = r.first left join cp_clean c on c.n = r.n
),
-- Runs that a clean day has ended: every clean day of a counterparty with two or more frauds since the one before.
final_day as materialized (
  select p.counterparty, p.day, count(*) as payments,
         count(*) filter (where l.n is not null and not l.is_own) as frauds, count(*) filter (where l.is_own) as own
    from ev p left join label l on l.n = p.n where p.counterparty is not null group by 1, 2
),
clean_day as materialized (
  select *, lag(day) over (partition by counterparty order by day) as before
    from final_day where payments - frauds - own > frauds
),
ended as materialized (
  select c.counterparty, c.day,
         (max(f.day) + c.day) / 2.0
           - (min(f.day) + coalesce((select case when x.payments > x.frauds + x.own then x.day else c.before end
                from final_day x where x.counterparty = c.counterparty and x.day = min(f.day)), min(f.day))) / 2.0 as lasted
    from clean_day c join final_day f on f.counterparty = c.counterparty and f.frauds > 0
     and f.day < c.day and f.day >= coalesce(c.before, -1)
   group by c.counterparty, c.day, c.before having sum(f.frauds) >= 2
),
-- The day on which something of the counterparty shows that the run is over: a payment, or a label.
seen as materialized (
  select e.lasted, least(
           (select min(p.day) from ev p where p.counterparty = e.counterparty and p.day - 8 >= e.day),
           (select min(floor(l.fraud_at / 86400000000)::int) from label l
             where l.counterparty = e.counterparty and floor(l.fraud_at / 86400000000)::int - 8 >= e.day)) as day
    from ended e where e.lasted > 7
),
typical as materialized (
  select i.day, (select (array_agg(half order by half))[floor(count(*) / 2.0)::int + 1] / 2.0
    from (select 60 as half from generate_series(1, 3)
          union all select round(s.lasted * 2)::int from seen s where s.day < i.day) as runs) as days
    from (select distinct day from ev) i
),
-- A day's payments join the population when the first row of eight days later comes, as they are known then.
renewed as materialized (
  select d.day, (select min(k.at) from ev k where k.day >= d.day + 8) as at from (select distinct day from ev) d
),
clean as materialized (
  select e.* from ev e join renewed r on r.day = e.day
   where e.settled_at <= r.at and (e.fraud_at is null or e.fraud_at > r.at)
)
select i.n, i.at::float8 as at, i.type as kind, i.category, i.account, coalesce(i.counterparty, '') as counterparty,
       '' as instrument, '' as ip, i.amount / 100.0::float8 as amount,
       o.settled_90d, (o.sum_90d / 100.0)::float8 as settled_sum_90d,
       coalesce(o.sum_90d / nullif(o.settled_90d, 0) / 100.0, 0)::float8 as mean_90d,
       coalesce(i.amount * o.settled_90d / nullif(o.sum_90d, 0), 0)::float8 as amount_to_mean_90d,
       (i.amount * greatest(5, o.settled_90d) / (o.sum_90d + greatest(0, 5 - o.settled_90d) * 100000.0))::float8 as amount_to_smoothed_mean_90d,
       o.settled_ever, coalesce(o.sum_ever / nullif(o.settled_ever, 0) / 100.0, 0)::float8 as mean_ever,
       coalesce(i.amount * o.settled_ever / nullif(o.sum_ever, 0), 0)::float8 as amount_to_mean_ever,
       coalesce(o.median / 100, 0)::float8 as median_ever,
       coalesce(i.amount / o.median, 0)::float8 as amount_to_median_ever,
       coalesce((i.amount - o.median) / greatest(1.4826 * s.mad, 0.05 * o.median), 0)::float8 as amount_deviation,
       (select count(*) from ev e where e.account = i.account and e.n <= i.n and e.at > i.at - 3600000000) as count_1h,
       1 + split.payments as split_count_24h, ((i.amount + split.amount) / 100.0)::float8 as split_sum_24h,
       prior.all_of_them as prior_count, prior.in_category as prior_in_category, prior.to_counterparty as paid_before,
       (select count(*) from ev e join anomaly using (n) where e.account = i.account and e.n < i.n and e.day > i.day - 7) as large_7d,
       (select count(*) from ev e join anomaly using (n) where e.account = i.account and e.n < i.n and e.day > i.day - 30) as large_30d,
       (select count(*) from label l where l.account = i.account and l.n < i.n and l.fraud_at <= i.at and l.day > i.day - 37) as account_frauds_30d,
       coalesce(cp.payments, 0) as counterparty_payments, coalesce(i.day - cp.first, 0) as counterparty_age_days,
       w1.payments as counterparty_known_1d, w7.payments as counterparty_known_7d, w30.payments as counterparty_known_30d,
       w1.frauds as counterparty_frauds_1d, w7.frauds as counterparty_frauds_7d, w30.frauds as counterparty_frauds_30d,
       w1.risk as counterparty_risk_1d, w7.risk as counterparty_risk_7d, w30.risk as counterparty_risk_30d,
       coalesce(a.frauds, 0) as counterparty_run_frauds, coalesce(a.days, 0) as counterparty_run_days,
       (coalesce(a.days, 0) / t.days)::float8 as counterparty_run_age,
       pop.clean as population_clean,
       coalesce(pop.at_least::float8 / nullif(pop.clean, 0), 1) as population_share_above,
       i.login_risk * 0.5 ^ (case when i.login_at is null then 0 else greatest(0, i.at - i.login_at) / 86400000000.0 end)::float8 as login_risk,
       case when i.changed_at is null then 1000000 else greatest(0, i.at - i.changed_at) / 3600000000.0 end::float8 as hours_since_access_change,
       i.is_out and i.changed_at is not null and not exists (
         select from ev e where e.account = i.account and e.n < i.n and e.is_out and e.at >= i.changed_at) as first_out_since_access_change
  from ev i
  join own o on o.n = i.n
  left join spread s on s.n = i.n
  left join run_age a on a.n = i.n
  join typical t on t.day = i.day
  cross join lateral (
    select count(*) as payments, coalesce(sum(e.amount), 0) as amount from ev e
     where i.is_out and e.account = i.account and e.n < i.n and e.is_out and not e.confirmed
       and e.counterparty is not distinct from i.counterparty and e.at > i.at - 86400000000) as split
  cross join lateral (
    select count(*) as all_of_them, count(*) filter (where e.category = i.category) as in_category,
           count(*) filter (where e.counterparty = i.counterparty) as to_counterparty
      from ev e where e.account = i.account and e.n < i.n) as prior
  cross join lateral (select sum(payments) as payments, min(day) as first from cp_day d where d.n = i.n) as cp
  cross join lateral (select * from window_of(i.n, i.day, 1)) as w1
  cross join lateral (select * from window_of(i.n, i.day, 7)) as w7
  cross join lateral (select * from window_of(i.n, i.day, 30)) as w30
  cross join lateral (
    select count(*) as clean, count(*) filter (where c.floor3 >= i.floor3) as at_least
      from clean c where c.type = i.type and c.day <= i.day - 8) as pop
 order by i.n
