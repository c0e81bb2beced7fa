
    
    select
      count(*) as failures,
      count(*) != 0 as should_warn,
      count(*) != 0 as should_error
    from (
      
    
  
    
    

select
    web_event_id as unique_field,
    count(*) as n_records

from "warehouse"."intermediate"."int_web_events"
where web_event_id is not null
group by web_event_id
having count(*) > 1



  
  
      
    ) dbt_internal_test