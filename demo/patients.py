"""Synthetic patients: no person, living or dead. The same seed gives the same people.

`canary` numbers go into every protected value, so that a test can look for any of them in
whatever a client saw.
"""
import random

FIRST = "Ada Bela Cora Dov Edda Finn Gesa Hugo Ines Jonas Kaya Lars Mina Nils Olga Pavo Rosa Sven Tara Uwe".split()
LAST = ("Abernathy Boswell Carrick Dunmore Eastlake Farrow Granger Hollis Inchbald Jessop Kestrel Lockhart "
        "Marchbanks Northam Oakes Penrose Quill Ravenel Sedgwick Thornbury").split()
STREETS = "Cedar Elm Juniper Larch Magnolia Poplar Rowan Willow".split()
PLACES = [("Austin", "TX", "787"), ("Dayton", "OH", "454"), ("Eugene", "OR", "974"), ("Lebanon", "NH", "037"),
          ("Casper", "WY", "826"), ("Burlington", "VT", "054"), ("Keene", "NH", "034"), ("White River", "VT", "036")]
DEPARTMENTS = "cardiology dermatology emergency neurology oncology pediatrics radiology".split()

SCHEMA = """
CREATE TABLE patient (
    id integer PRIMARY KEY,
    mrn varchar(12) NOT NULL UNIQUE,
    first_name text NOT NULL,
    last_name text NOT NULL,
    birth_date date NOT NULL,
    sex char(1) NOT NULL,
    ssn char(11) NOT NULL UNIQUE,
    phone varchar(14),
    email text,
    street text,
    city text NOT NULL,
    state char(2) NOT NULL,
    zip char(5) NOT NULL,
    notes text
);
CREATE TABLE encounter (
    id integer PRIMARY KEY,
    patient_id integer NOT NULL REFERENCES patient,
    patient_mrn varchar(12) NOT NULL,
    department text NOT NULL,
    admitted timestamptz NOT NULL,
    charge numeric(9,2) NOT NULL
);
CREATE INDEX ON encounter (patient_id);
CREATE VIEW patient_directory AS SELECT id, mrn, last_name, city, state FROM patient;
"""


def people(count, seed=1):
    """Dictionaries, one a patient; every protected value is unique."""
    rng = random.Random(seed)
    for n in range(1, count + 1):
        city, state, zip3 = rng.choice(PLACES)
        yield {
            "id": n,
            "mrn": f"MRN{rng.randrange(100):02d}{n:06d}",
            "first_name": rng.choice(FIRST),
            "last_name": f"{rng.choice(LAST)}-{n:05d}",
            "birth_date": f"{rng.randrange(1935, 2020)}-{rng.randrange(1, 13):02d}-{rng.randrange(2, 29):02d}",
            "sex": rng.choice("FM"),
            "ssn": f"{rng.randrange(100, 665):03d}-{rng.randrange(10, 99)}-{n:04d}",
            "phone": f"({rng.randrange(201, 989)}) 555-{n % 10000:04d}",
            "email": f"p{n:05d}@mail.example",
            "street": f"{rng.randrange(1, 999)} {rng.choice(STREETS)} St",
            "city": city, "state": state, "zip": f"{zip3}{rng.randrange(10, 99)}",
            "notes": f"Follow-up for case {n:05d}; prefers calls after noon.",
        }


def encounters(patients, seed=2):
    rng = random.Random(seed)
    number = 0
    for person in patients:
        for _ in range(rng.randrange(1, 4)):
            number += 1
            yield {
                "id": number, "patient_id": person["id"], "patient_mrn": person["mrn"],
                "department": rng.choice(DEPARTMENTS),
                "admitted": f"2025-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d} "
                            f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:00+00",
                "charge": f"{rng.randrange(5000, 2500000) / 100:.2f}",
            }


def quote(value):
    return "'" + str(value).replace("'", "''") + "'"


def insert(table, rows):
    rows = list(rows)
    names = ", ".join(rows[0])
    values = ",\n".join("(" + ", ".join(quote(v) for v in row.values()) + ")" for row in rows)
    return f"INSERT INTO {table} ({names}) VALUES\n{values};\n"


def sql(count=250):
    """Everything as one script."""
    crowd = list(people(count))
    return SCHEMA + insert("patient", crowd) + insert("encounter", encounters(crowd))
