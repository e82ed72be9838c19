def test_thin(loader):
    f = loader.load("id,name,select\n1,Ada,2024-01-01\n2,\"B, ob\",2024-01-02\n")
    print(loader.file(f), loader.owner.execute("select * from locaria.runs").fetchall())
    assert loader.succeeded(f)
    print(loader.rows(), loader.types())
